/**
 * The worker: claims jobs, runs them, writes how they ended, says that it lives, and keeps house with the other workers.
 * This file puts the parts together and tells how a worker starts, stops and comes back after it was taken for dead.
 */

import { EventEmitter } from 'node:events';
import { LineshaftError } from '../domain/errors.ts';
import { automaticTags } from '../domain/tags.ts';
import type { Log } from '../log.ts';
import type { ServiceEvents, WorkerFacts } from '../plugin.ts';
import { textArray } from '../queue/enqueue-batch.ts';
import { Outlook } from '../services/outlook.ts';
import { Rest, type RestHost } from '../services/rest.ts';
import type { Service } from '../services/service.ts';
import { ServiceHost } from '../services/service-host.ts';
import { finishedFacts } from './attempt-facts.ts';
import { Circuits } from './circuits.ts';
import { Claimer } from './claimer.ts';
import { keepHeapCompact } from './compact-heap.ts';
import { Completer, type Result } from './completer.ts';
import { isReadyAtOnce } from './completion-groups.ts';
import { ExecutorPool } from './executor-pool.ts';
import { HandedJobs } from './handed-jobs.ts';
import { HandedSteps } from './handed-steps.ts';
import { createHeartbeat } from './heartbeat.ts';
import type { HeldJob, Lease } from './held-job.ts';
import { JobLeases } from './job-leases.ts';
import { JobReports } from './job-reports.ts';
import { LaneDirectory } from './lanes.ts';
import { RescueCounts, snapshot, type WorkerMetrics } from './metrics.ts';
import { QueueSettings } from './queue-settings.ts';
import { ReadyVacuum } from './ready-vacuum.ts';
import { Registration } from './registration.ts';
import { kindAmounts } from './registry.ts';
import { restHostOf } from './rest-host.ts';
import { Runner } from './runner.ts';
import { serviceAccess, workerFacts } from './service-access.ts';
import { Shutdown } from './shutdown.ts';
import { Troubles } from './troubles.ts';
import type { CheckedWorkerOptions } from './worker-options.ts';
import type { WorkerEvents, WorkerParts } from './worker-parts.ts';
import { WorkerSessions } from './worker-sessions.ts';

/** A claim waits while so many results are not written. */
const backlogMax = 5_000;
const runningCheckMs = 500;
/** What a worker that stops when all is done takes in before it begins. */
const takeInMax = 100_000;

export class Worker extends EventEmitter<WorkerEvents> {
  readonly id: string;
  readonly tags: readonly string[];
  private readonly parts: WorkerParts;
  private readonly options: CheckedWorkerOptions;
  private readonly log: Log;
  private readonly directory: LaneDirectory;
  private readonly queueSettings: QueueSettings;
  private readonly facts: WorkerFacts;
  private readonly runner: Runner;
  private readonly completer: Completer;
  private readonly claimer: Claimer;
  private readonly handed: HandedJobs;
  private readonly handedSteps: HandedSteps;
  private readonly circuits: Circuits;
  private readonly executors: ExecutorPool;
  private readonly jobLeases: JobLeases;
  private readonly sessions: WorkerSessions;
  private readonly vacuum: ReadyVacuum;
  private readonly heartbeat: Service & { wake(): void };
  private readonly services: ServiceHost;
  private readonly shutdown: Shutdown;
  private readonly rest: Rest | undefined;
  private readonly outlook: Outlook;
  private readonly reports: JobReports;
  private readonly registration: Registration;
  private readonly rescues = new RescueCounts();
  private phase: 'new' | 'running' | 'stopping' | 'stopped' = 'new';
  private starting: Promise<void> | undefined;
  private stopping: Promise<void> | undefined;
  private comingBack: Promise<void> | undefined;
  private unlisten: (() => void) | undefined;
  private readonly onSignal = (): void => {
    const stopping = this.phase === 'running' ? this.stop() : this.stopNow();
    stopping.catch((error: unknown) => this.log.error(String(error)));
  };
  private readonly troubles: Troubles;
  private checkTimer: (() => void) | undefined;

  constructor(parts: WorkerParts) {
    super();
    this.parts = parts;
    ({ options: this.options, log: this.log } = parts);
    this.troubles = new Troubles(parts.log);
    this.reports = new JobReports(parts.log);
    this.id = parts.options.workerId;
    const { route, statements, clock, kinds } = parts;
    const automatic = automaticTags({ ...parts.facts, workerId: this.id, build: parts.build });
    this.tags = [...new Set([...automatic, ...this.options.tags])];
    this.directory = new LaneDirectory({
      ...this.options,
      offers: { ...this.options.offers, ...kindAmounts(kinds) },
      tags: this.tags,
      build: parts.build,
      kinds: new Set(kinds.keys()),
    });
    this.sessions = new WorkerSessions(route, this.options.leaseMs);
    this.vacuum = new ReadyVacuum(this.sessions.keeper, statements, this.log);
    this.registration = new Registration({
      parts,
      session: this.sessions.claim,
      options: this.options,
      id: this.id,
      tags: this.tags,
      servedSlugs: () => this.servedSlugs(),
    });
    this.outlook = new Outlook(clock, () => this.sessions.service.query(statements.outlook));
    const trouble = {
      clock,
      onError: (name: string, error: unknown) => this.troubles.begin(name, error),
      onRecovered: (name: string) => this.troubles.end(name),
    };
    this.rest = this.options.letDatabaseSleep ? new Rest(this.restHost()) : undefined;
    this.executors = new ExecutorPool({
      kinds,
      defaults: this.options.executorOptions,
      forced: this.options.executor,
      slots: this.options.slots,
      log: this.log,
    });
    this.completer = new Completer({
      session: this.sessions.complete,
      statements,
      workerName: this.id,
      clockOffsetMs: () => this.registration.clockOffsetMs,
      pause: (ms) => new Promise((resolve) => void clock.after(ms, resolve)),
      listener: {
        onSettled: (results, late) => this.settled(results, late),
        onTrouble: (error) => this.troubles.begin('completion', error),
        onRecovered: () => this.troubles.end('completion'),
        onUnknownLimits: (names) => this.reports.unknownLimits(names),
        onStepsEnded: (ended) => parts.steps.ended(ended),
      },
      endSteps: (steps) => parts.steps.end(steps, this.handedSteps),
      limitsBind: () => this.claimer.limitsBind,
    });
    this.circuits = new Circuits({
      ...trouble,
      session: this.sessions.service,
      statements,
      kinds,
      heartbeatMs: this.options.heartbeatMs,
      directory: this.directory,
      giveBackKind: (kind) => this.runner.giveBackKind(kind),
      lookAround: () => this.claimer.lookAround(),
      onChange: (change) => this.emit('circuit', this.reports.circuit(change)),
    });
    this.jobLeases = new JobLeases({
      ...trouble,
      session: this.sessions.service,
      statements,
      workerRow: () => this.registration.row,
      onTaken: () => this.services.message('lease', ''),
      onLost: (job) => this.runner.leaseLost(job.jobId, 0),
    });
    this.runner = new Runner({
      circuits: this.circuits,
      clock,
      slots: this.options.slots,
      maxRescues: this.options.maxRescues,
      build: parts.build,
      outputMaxBytes: this.options.outputMaxBytes,
      kinds,
      executors: this.executors,
      completer: this.completer,
      runtimes: () => this.queueSettings.runtimes.values(),
      random: parts.random,
      prepare: (request) => parts.prepare(request),
      markSuspect: (job) => this.sessions.service.query(statements.markSuspect, [job.lease.id, job.jobId]),
      reports: this.reports,
      hooks: parts.hooks,
      steps: parts.steps,
      jobLeases: this.jobLeases,
      clockOffsetMs: () => this.registration.clockOffsetMs,
      onFailed: (job, outcome, result) =>
        this.emit('failed', this.reports.failed(job, outcome.error.message, result)),
      onRoom: () => this.claimer.kick(),
    });
    const underWay = (): Promise<unknown> | undefined => this.claimer.underWay;
    const host = { ...this.claimerHost(), monotonic: () => clock.monotonic(), underWay };
    this.claimer = new Claimer({ host, session: this.sessions.claim, statements, clock });
    this.handed = new HandedJobs({ ...host, idle: () => this.idle() });
    const more = { keyedWait: () => this.claimer.keyed.any, running: () => this.runner.running };
    this.handedSteps = new HandedSteps({ ...host, ...more, giveBack: () => this.runner.giveBack() });
    this.queueSettings = new QueueSettings({
      pool: parts.pool,
      statements,
      directory: this.directory,
      circuits: this.circuits,
      giveBack: (runtime) => this.runner.giveBack(runtime),
      onRead: () => {
        this.claimer.lookAround();
        this.services.message('limits', JSON.stringify(this.directory.limits));
      },
      onChanged: () => {
        this.troubles.end('queues');
        this.runner.startJobs();
        this.emit('settings');
      },
      onError: (error) => this.troubles.begin('queues', error),
    });
    this.shutdown = new Shutdown({
      clock,
      log: this.log,
      runner: this.runner,
      completer: this.completer,
      timeoutMs: this.options.shutdownTimeoutMs,
      graceMs: this.options.graceMs,
    });
    this.facts = workerFacts(this.options, { id: this.id, tags: this.tags, build: parts.build });
    this.services = new ServiceHost({
      rest: this.rest,
      ...trouble,
      plugins: parts.plugins,
      log: this.log,
      worker: this.facts,
      ...serviceAccess(parts, this.sessions, this.outlook, () => this.registration.row),
      onEvent: (name, ...facts) => this.onServiceEvent(name, ...facts),
    });
    this.heartbeat = createHeartbeat({
      session: this.sessions.claim,
      statements,
      clock,
      heartbeatMs: this.options.heartbeatMs,
      outlook: this.outlook,
      rest: this.rest,
      host: {
        workerRow: () => this.registration.row,
        running: () => this.runner.running,
        stopping: () => this.phase === 'stopping',
        queueNames: () => textArray(this.servedSlugs()),
        openLeases: () => this.runner.openLeases(),
        knowsLease: (id) => this.runner.knowsLease(id),
        takeProgress: () => this.reports.takeProgress((id) => this.runner.find(id) !== undefined),
        onCancelled: (jobId) => this.runner.cancel(jobId, this.options.graceMs),
        onSettings: (fingerprint) => this.queueSettings.seen(fingerprint),
        onClock: (offsetMs) => {
          this.registration.clockOffsetMs = offsetMs;
        },
        onDisowned: () => this.disowned(),
        onError: (name, error) => this.troubles.begin(name, error),
        onRecovered: () => this.troubles.end('heartbeat'),
      },
    });
  }

  /** Registers the worker and starts claiming. @throws LineshaftError SCHEMA_MISSING, DATABASE_UNAVAILABLE */
  async start(): Promise<void> {
    if (this.phase !== 'new')
      throw new LineshaftError('CLOSED', { message: 'a worker is started once; make a new one' });
    this.phase = 'running';
    this.starting = this.startUp();
    await this.starting;
  }

  private async startUp(): Promise<void> {
    if (this.options.compactHeap) keepHeapCompact();
    await this.circuits.declare();
    await this.queueSettings.load();
    await this.registration.register();
    await this.sessions.releaseUpgrades(this.parts);
    if (this.options.once) await this.sessions.service.query(this.parts.statements.takeIn, [takeInMax]);
    if (this.options.signals)
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, this.onSignal);
    this.unlisten = this.parts.notifications.add({
      onMessage: (type, body) => this.notified(type, body),
      onConnected: () => {
        this.claimer.lookAround();
        this.heartbeat.wake();
      },
      resting: () => this.rest?.resting ?? false,
    });
    await this.parts.hooks.workerStart?.(this.facts);
    this.heartbeat.start();
    this.services.start();
    this.circuits.start();
    this.claimer.start();
    this.handed.start(this.parts.takers);
    this.rest?.start();
    this.scheduleCheck();
    this.log.info('worker started', {
      worker: this.id,
      queues: [...this.directory.servedQueues()].map((queue) => queue.name).join(',') || 'none',
      kinds: [...this.parts.kinds.keys()].slice(0, 20).join(',') || 'none',
    });
    this.emit('started');
  }

  /**
   * Stops: claims no more, gives back what has not started, lets running attempts finish for the shutdown time-out,
   * writes every result. Then what still runs is interrupted and given back. A second call waits for the first.
   */
  stop(): Promise<void> {
    this.stopping ??= this.shutDown();
    return this.stopping;
  }

  /** Stops without waiting for running attempts: they are interrupted and given back. */
  stopNow(): Promise<void> {
    this.shutdown.hurry();
    return this.stop();
  }

  /** Resolves when the worker has stopped, for whatever reason. */
  async stopped(): Promise<void> {
    if (this.phase !== 'stopped') await new Promise<void>((resolve) => this.once('stopped', () => resolve()));
  }

  /** What the worker has counted since it was made, and what it does now; costs nothing until it is asked for. */
  metrics(): WorkerMetrics {
    return snapshot(
      {
        workerId: this.id,
        slots: this.options.slots,
        running: this.runner.running,
        held: this.runner.held,
        unwritten: this.completer.backlog,
        leads: this.services.leads,
        claims: this.claimer.claims,
        ...this.rescues,
        circuits: this.circuits.states(),
        hooks: [...this.parts.hooks.report(), ...this.services.report()],
      },
      this.queueSettings.runtimes.values(),
    );
  }

  private onServiceEvent<Name extends keyof ServiceEvents>(name: Name, ...facts: ServiceEvents[Name]): void {
    const [fact] = facts;
    this.rescues.count(fact);
    if ('jobId' in fact) this.runner.leaseLost(fact.jobId, this.options.graceMs);
    this.emit(name, ...(facts as never));
  }

  private async shutDown(): Promise<void> {
    if (this.phase === 'new') {
      this.phase = 'stopped';
      await this.sessions.close();
      this.emit('stopped');
      return;
    }
    const stopByMs = this.parts.clock.monotonic() + this.options.shutdownTimeoutMs;
    this.phase = 'stopping';
    await this.starting?.catch(() => {});
    this.log.info('worker stops', { worker: this.id, running: this.runner.running });
    this.checkTimer?.();
    this.rest?.stop();
    this.runner.stopStarting();
    this.handedSteps.close();
    await Promise.all([this.claimer.stop(), this.handed.stop()]);
    this.runner.giveBack();
    await this.shutdown.endAttempts();
    await this.executors.stop();
    await this.shutdown.writeResults(stopByMs);
    await this.jobLeases.stop();
    await this.parts.hooks.workerStop?.(this.facts);
    await Promise.all([this.services.stop(), this.circuits.stop(), this.vacuum.stop()]);
    await this.heartbeat.stop();
    this.unlisten?.();
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.off(signal, this.onSignal);
    await this.sessions.unregister(this.parts.statements, this.registration.row);
    await this.sessions.close();
    this.phase = 'stopped';
    this.log.info('worker stopped', { worker: this.id });
    this.emit('stopped');
  }

  /** Others took this worker for dead and gave its jobs away. Heartbeat and claim may notice it at the same time. */
  private disowned(): Promise<void> {
    this.comingBack ??= this.comeBack().finally(() => {
      this.comingBack = undefined;
    });
    return this.comingBack;
  }

  /** Forgets the jobs that it held, and goes on under a new row. */
  private async comeBack(): Promise<void> {
    this.log.warn('the lease of this worker ran out; its jobs were given to others', { worker: this.id });
    this.runner.disown();
    await this.registration.register();
    this.emit('disowned');
    this.claimer.lookAround();
  }

  /** Takes claimed jobs in; those of a queue that was paused or left while they were on their way go back. */
  private claimed(lease: Lease, jobs: readonly HeldJob[]): void {
    this.runner.add(lease, jobs);
    this.queueSettings.arrived(new Set(jobs.map((job) => job.runtime)));
    this.circuits.arrived(jobs);
    this.vacuum.claimed(jobs.length);
  }

  private notified(type: string, body: string): void {
    if (type !== 'd') this.rest?.wake();
    if (type === 'r' || type === 'a') this.claimer.wakeQueues(body.split(',').map(Number), type === 'a');
    else if (type === 'u') this.claimer.expectKeyed(body.split(',').map(Number));
    else if (type === 'n') this.claimer.lookAround();
    else if (type === 'c') this.runner.cancel(body, this.options.graceMs);
    else if (type === 'j') this.runner.leaseLost(body, this.options.graceMs);
    else if (type === 'q') this.queueSettings.reload();
    this.services.message(type, body);
  }

  private claimerHost(): ConstructorParameters<typeof Claimer>[0]['host'] {
    return {
      directory: this.directory,
      completions: this.sessions.complete,
      reserveAfterMs: this.options.reserveAfterMs,
      circuits: this.circuits,
      rest: this.rest,
      workerRow: () => this.registration.row,
      runtimes: () => this.queueSettings.runtimes.values(),
      runtime: (queueId) => this.queueSettings.runtimes.get(queueId),
      held: () => this.runner.held,
      slots: () => this.options.slots,
      pollingIntervalMs: () => this.options.pollingIntervalMs,
      // One that stops when all is done must have seen so itself.
      sinceEmptyMs: () => (this.options.once ? Number.POSITIVE_INFINITY : this.outlook.sinceEmptyMs()),
      paused: () =>
        this.phase !== 'running' || this.completer.backlog + this.parts.steps.backlog > backlogMax,
      onClaimed: (lease, jobs) => this.claimed(lease, jobs),
      startJobs: () => this.runner.startJobs(),
      onDisowned: () => this.disowned(),
      onError: (name, error) => this.troubles.begin(name, error),
      onRecovered: () => this.troubles.end('claim'),
      onDrained: () => this.drained(),
      onLimited: () => this.services.message('limited', ''),
    };
  }

  /** It may be handed a job that is enqueued here; not one that stops when all is done, which must look for itself. */
  private idle(): boolean {
    if (this.phase !== 'running' || this.rest !== undefined || this.options.once) return false;
    return this.runner.held < this.options.slots;
  }

  private restHost(): RestHost {
    return restHostOf({
      ...this.parts,
      session: this.sessions.claim,
      renewals: this.sessions.complete,
      busy: () => this.phase !== 'running' || this.runner.held + this.completer.backlog > 0,
      directory: this.directory,
      row: () => this.registration.row,
      register: () => this.registration.register(),
    });
  }

  private servedSlugs(): string[] {
    return [...this.directory.servedQueues()].map((queue) => queue.slug);
  }

  private drained(): void {
    this.reports.unknownKinds(this.directory.unknownKinds, this.id);
    if (this.runner.held > 0 || this.completer.backlog > 0) return;
    this.emit('drained');
    if (this.options.once && this.phase === 'running')
      this.stop().catch((error: unknown) => this.log.error(String(error)));
  }

  private settled(results: readonly Result[], late: boolean): void {
    this.runner.onSettled(results, late);
    if (late) {
      this.emit('late', this.reports.late(results.map(({ job }) => job.jobId)));
    } else if (this.listenerCount('finished') > 0) {
      this.emit('finished', {
        jobs: results.map(({ job, ending }) => ({ id: job.jobId, kind: job.kind, ending: ending.type })),
      });
    }
    if (!late) this.parts.hooks.finished?.(finishedFacts(results));
    if (this.directory.limits.rated && results.some(({ job }) => job.keyed !== undefined))
      this.services.message('limited', '');
    if (results.some(({ ending }) => ending.type === 'later' && !isReadyAtOnce(ending)))
      this.services.message('l', '');
    this.claimer.onSettled(results);
    if (this.options.once) this.claimer.lookAround();
  }

  private scheduleCheck(): void {
    this.checkTimer = this.parts.clock.after(
      runningCheckMs,
      () => {
        this.runner.giveBackStale(this.parts.clock.monotonic(), 2 * runningCheckMs);
        if (this.phase === 'running') this.scheduleCheck();
      },
      true,
    );
  }
}
