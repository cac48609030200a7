/**
 * The worker: claims jobs, runs them, writes how they ended, says that it lives, and keeps house with the other
 * workers. This file puts the parts together and tells how a worker starts, stops and comes back after it was
 * taken for dead.
 */

import { EventEmitter } from 'node:events';
import { LineshaftError } from '../domain/errors.ts';
import { type Queue, queueFromRow } from '../domain/queue.ts';
import { automaticTags } from '../domain/tags.ts';
import type { Log } from '../log.ts';
import { textArray } from '../queue/enqueue-batch.ts';
import { createServices } from '../services/create.ts';
import type { Leadership } from '../services/leader.ts';
import type { Promoter } from '../services/promoter.ts';
import type { Service } from '../services/service.ts';
import { Claimer } from './claimer.ts';
import { keepHeapCompact } from './compact-heap.ts';
import { Completer, type Result } from './completer.ts';
import { ExecutorPool } from './executor-pool.ts';
import { createHeartbeat } from './heartbeat.ts';
import type { HeldJob, Lease } from './held-job.ts';
import { JobReports } from './job-reports.ts';
import { LaneDirectory } from './lanes.ts';
import { QueueRuntime } from './queue-runtime.ts';
import { Runner } from './runner.ts';
import { Troubles } from './troubles.ts';
import type { CheckedWorkerOptions } from './worker-options.ts';
import type { WorkerEvents, WorkerParts } from './worker-parts.ts';
import { WorkerSessions } from './worker-sessions.ts';

/** A claim waits while so many results are not written. */
const backlogMax = 5_000;
const runningCheckMs = 500;
/** A stop leaves the last results at least this time to be written, however late it is. */
const writeAtLeastMs = 2_000;

export class Worker extends EventEmitter<WorkerEvents> {
  readonly id: string;
  readonly tags: readonly string[];
  private readonly parts: WorkerParts;
  private readonly options: CheckedWorkerOptions;
  private readonly log: Log;
  private readonly directory: LaneDirectory;
  private readonly queueRuntimes = new Map<number, QueueRuntime>();
  private readonly runner: Runner;
  private readonly completer: Completer;
  private readonly claimer: Claimer;
  private readonly executors: ExecutorPool;
  private readonly sessions: WorkerSessions;
  private readonly promoter: Promoter;
  private readonly leadership: Leadership;
  private readonly heartbeat: Service & { wake(): void };
  private readonly services: readonly Service[];
  private readonly reports: JobReports;
  private row = '0';
  private settings = '';
  private phase: 'new' | 'running' | 'stopping' | 'stopped' = 'new';
  private starting: Promise<void> | undefined;
  private stopping: Promise<void> | undefined;
  private interrupted: (() => void) | undefined;
  private hurry = false;
  private comingBack: Promise<void> | undefined;
  private unlisten: (() => void) | undefined;
  private readonly onSignal = (): void => this.signalled();
  private readonly troubles: Troubles;
  private readonly toldKinds = new Set<string>();
  private checkTimer: (() => void) | undefined;

  constructor(parts: WorkerParts) {
    super();
    this.parts = parts;
    this.options = parts.options;
    this.log = parts.log;
    this.troubles = new Troubles(parts.log);
    this.reports = new JobReports(parts.log);
    this.id = parts.options.workerId;
    const { route, statements, clock, kinds } = parts;
    this.tags = [
      ...new Set([
        ...automaticTags({ ...parts.facts, workerId: this.id, build: parts.build }),
        ...this.options.tags,
      ]),
    ];
    this.directory = new LaneDirectory({
      tags: this.tags,
      build: parts.build,
      kinds: new Set(kinds.keys()),
      queues: this.options.queues,
      projectIds: this.options.projectIds,
    });
    this.sessions = new WorkerSessions(route, this.options.leaseMs);
    const trouble = {
      clock,
      onError: (name: string, error: unknown) => this.troubles.begin(name, error),
      onRecovered: (name: string) => this.troubles.end(name),
    };
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
      pause: (ms) => new Promise((resolve) => void clock.after(ms, resolve)),
      listener: {
        onSettled: (results, late) => this.settled(results, late),
        onTrouble: (error) => this.troubles.begin('completion', error),
        onRecovered: () => this.troubles.end('completion'),
      },
    });
    this.runner = new Runner({
      clock,
      slots: this.options.slots,
      build: parts.build,
      outputMaxBytes: this.options.outputMaxBytes,
      kinds,
      executors: this.executors,
      completer: this.completer,
      runtimes: () => this.queueRuntimes.values(),
      random: parts.random,
      prepare: (request) => parts.prepare(request),
      markSuspect: (job) => this.sessions.service.query(statements.markSuspect, [job.lease.id, job.jobId]),
      reports: this.reports,
      onFailed: (job, outcome, result) =>
        this.emit('failed', this.reports.failed(job, outcome.error.message, result)),
      onRoom: () => this.claimer.kick(),
    });
    this.claimer = new Claimer({ host: this.claimerHost(), session: this.sessions.claim, statements, clock });
    const { promoter, leadership, services } = createServices({
      ...trouble,
      session: this.sessions.service,
      keeperSession: this.sessions.keeper,
      statements,
      schema: parts.schema,
      leaseMs: this.options.leaseMs,
      maxRescues: this.options.maxRescues,
      workerRow: () => this.row,
      onElected: () => this.log.debug('leads'),
      onRescue: (rescue) => this.rescued(rescue),
    });
    this.promoter = promoter;
    this.leadership = leadership;
    this.services = services;
    this.heartbeat = createHeartbeat({
      session: this.sessions.claim,
      statements,
      clock,
      heartbeatMs: this.options.heartbeatMs,
      host: {
        workerRow: () => this.row,
        running: () => this.runner.running,
        stopping: () => this.phase === 'stopping',
        queueNames: () => textArray([...this.directory.servedQueues()].map((queue) => queue.slug)),
        openLeases: () => this.runner.openLeases(),
        knowsLease: (id) => this.runner.knowsLease(id),
        takeProgress: () => this.reports.takeProgress((id) => this.runner.find(id) !== undefined),
        onCancelled: (jobId) => this.runner.cancel(jobId, this.options.graceMs),
        onSettings: (fingerprint) => this.settingsSeen(fingerprint),
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
    await this.loadQueues();
    await this.register();
    await this.releaseUpgrades();
    if (this.options.signals)
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, this.onSignal);
    this.unlisten = this.parts.notifications.add({
      onMessage: (type, body) => this.notified(type, body),
      onConnected: () => this.listening(),
    });
    this.heartbeat.start();
    for (const service of this.services) service.start();
    this.claimer.start();
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
    this.hurry = true;
    this.interrupted?.();
    return this.stop();
  }

  /** Resolves when the worker has stopped, for whatever reason. */
  async stopped(): Promise<void> {
    if (this.phase !== 'stopped') await new Promise<void>((resolve) => this.once('stopped', () => resolve()));
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
    this.runner.stopStarting();
    await this.claimer.stop();
    this.runner.giveBack();
    if (this.runner.running > 0 && !(await this.waitForRunning())) await this.interruptRunning();
    await this.executors.stop();
    await this.writeResults(stopByMs);
    await Promise.all(this.services.map((service) => service.stop()));
    await this.heartbeat.stop();
    this.unlisten?.();
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.off(signal, this.onSignal);
    await this.unregister();
    await this.sessions.close();
    this.phase = 'stopped';
    this.log.info('worker stopped', { worker: this.id });
    this.emit('stopped');
  }

  /** Whether all attempts ended in time and nobody asked to hurry. */
  private waitForRunning(): Promise<boolean> {
    if (this.hurry) return Promise.resolve(false);
    return new Promise((resolve) => {
      const takeBack = this.parts.clock.after(this.options.shutdownTimeoutMs, () => resolve(false));
      this.interrupted = () => resolve(false);
      this.runner.idle().then(
        () => {
          takeBack();
          resolve(true);
        },
        () => resolve(false),
      );
    });
  }

  private async interruptRunning(): Promise<void> {
    this.log.warn('running attempts are interrupted and given back', { running: this.runner.running });
    this.runner.interrupt('shutdown', this.options.graceMs);
    await new Promise<void>((resolve) => {
      const takeBack = this.parts.clock.after(this.options.graceMs + 100, resolve);
      this.runner.idle().then(() => {
        takeBack();
        resolve();
      }, resolve);
    });
    this.runner.abandonRunning();
  }

  /** Writes what has ended. With the database away for too long it is given up: those jobs run again elsewhere. */
  private async writeResults(byMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const giveUp = (): void => {
        this.log.error('results are given up, the database is away; their jobs run again', {
          results: this.completer.backlog,
        });
        this.completer.abandon();
        resolve();
      };
      const leftMs = this.hurry ? 0 : byMs - this.parts.clock.monotonic();
      let takeBack = this.parts.clock.after(Math.max(leftMs, writeAtLeastMs), giveUp);
      this.interrupted = () => {
        takeBack();
        takeBack = this.parts.clock.after(writeAtLeastMs, giveUp);
      };
      this.completer.settled().then(() => {
        takeBack();
        resolve();
      }, resolve);
    });
  }

  private signalled(): void {
    if (this.phase === 'running') this.stop().catch((error: unknown) => this.log.error(String(error)));
    else this.stopNow().catch((error: unknown) => this.log.error(String(error)));
  }

  private async register(): Promise<void> {
    const [[row = null] = []] = await this.sessions.claim.query(this.parts.statements.registerWorker, [
      this.id,
      this.options.name ?? this.id,
      this.parts.build,
      textArray(this.tags),
      textArray([...this.parts.kinds.keys()]),
      textArray([...this.directory.servedQueues()].map((queue) => queue.slug)),
      this.options.slots,
      this.options.leaseMs,
    ]);
    this.row = row ?? '0';
  }

  /** Leaves nothing behind: also what it claimed without hearing of it goes back. Failing that, its lease runs out. */
  private async unregister(): Promise<void> {
    const { returnLeases, unregisterWorker } = this.parts.statements;
    for (let attempt = 1; attempt <= 2; attempt += 1) {
      try {
        await this.sessions.service.query(returnLeases, [this.row, null]);
        await this.sessions.service.query(unregisterWorker, [this.row]);
        return;
      } catch {
        // The connection was lost; the second attempt makes a new one.
      }
    }
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
    await this.register();
    this.emit('disowned');
    this.claimer.lookAround();
  }

  private async loadQueues(): Promise<void> {
    const rows = await this.parts.pool.query(this.parts.statements.listQueues);
    const queues = rows.map((row) => queueFromRow(row));
    this.directory.setQueues(queues);
    for (const queue of this.directory.servedQueues()) this.applyQueue(queue);
    for (const [id, runtime] of this.queueRuntimes) {
      // The runtime stays: a claim may be under way, and its jobs must find a place.
      if (this.directory.queue(id) === undefined) this.runner.giveBack(runtime);
    }
    this.claimer.lookAround();
  }

  private applyQueue(queue: Queue): void {
    const runtime = this.queueRuntimes.get(queue.id);
    if (runtime === undefined) {
      this.queueRuntimes.set(queue.id, new QueueRuntime(queue));
      return;
    }
    runtime.queue = queue;
    if (queue.state === 'paused') this.runner.giveBack(runtime);
  }

  /** Takes claimed jobs in; those of a queue that was paused or left while they were on their way go back. */
  private claimed(lease: Lease, jobs: readonly HeldJob[]): void {
    this.runner.add(lease, jobs);
    for (const runtime of new Set(jobs.map((job) => job.runtime))) {
      const served = this.directory.queue(runtime.queue.id);
      if (served === undefined || served.state === 'paused') this.runner.giveBack(runtime);
    }
  }

  /** Jobs that wait because another build could not upgrade their payload may go with this one. */
  private async releaseUpgrades(): Promise<void> {
    const [[ids = null] = []] = await this.sessions.service.query(this.parts.statements.releaseUpgrades, [
      textArray([...this.parts.kinds.keys()]),
      this.parts.build,
    ]);
    if (ids !== null) await this.sessions.service.query(this.parts.statements.retryJobs, [ids]);
  }

  private notified(type: string, body: string): void {
    if (type === 'r' || type === 'a') this.claimer.wakeQueues(body.split(',').map(Number), type === 'a');
    else if (type === 'n') this.claimer.lookAround();
    else if (type === 'l') this.promoter.wake();
    else if (type === 'c') this.runner.cancel(body, this.options.graceMs);
    else if (type === 'q') this.reloadQueues();
    else if (type === 'e') this.leadership.wake();
  }

  private listening(): void {
    this.claimer.lookAround();
    this.heartbeat.wake();
  }

  private settingsSeen(fingerprint: string): void {
    if (fingerprint === this.settings) return;
    const first = this.settings === '';
    this.settings = fingerprint;
    if (!first) this.reloadQueues();
  }

  private reloadQueues(): void {
    this.loadQueues().then(
      () => {
        this.troubles.end('queues');
        this.runner.startJobs();
        this.emit('settings');
      },
      (error: unknown) => {
        // The next heartbeat tries again.
        this.settings = 'unread';
        this.troubles.begin('queues', error);
      },
    );
  }

  private claimerHost(): ConstructorParameters<typeof Claimer>[0]['host'] {
    return {
      directory: this.directory,
      workerRow: () => this.row,
      runtimes: () => this.queueRuntimes.values(),
      runtime: (queueId) => this.queueRuntimes.get(queueId),
      held: () => this.runner.held,
      slots: () => this.options.slots,
      pollingIntervalMs: () => this.options.pollingIntervalMs,
      paused: () => this.phase !== 'running' || this.completer.backlog > backlogMax,
      onClaimed: (lease, jobs) => this.claimed(lease, jobs),
      startJobs: () => this.runner.startJobs(),
      onDisowned: () => this.disowned(),
      onError: (name, error) => this.troubles.begin(name, error),
      onRecovered: () => this.troubles.end('claim'),
      onDrained: () => this.drained(),
    };
  }

  private drained(): void {
    for (const kind of this.directory.unknownKinds) {
      if (this.toldKinds.has(kind)) continue;
      this.toldKinds.add(kind);
      this.log.warn(`jobs of kind '${kind}' wait, and this worker has no handler for it`, {
        worker: this.id,
      });
    }
    if (this.runner.held > 0 || this.completer.backlog > 0) return;
    this.emit('drained');
    if (this.options.once && this.phase === 'running')
      this.stop().catch((error: unknown) => this.log.error(String(error)));
  }

  private settled(results: readonly Result[], late: boolean): void {
    this.runner.onSettled(results);
    if (late) {
      const ids = results.map((result) => result.job.jobId);
      this.log.warn('a result came too late: its job had been cancelled or given to another worker', {
        job: ids[0],
      });
      this.emit('late', { ids });
    } else if (this.listenerCount('finished') > 0) {
      this.emit('finished', {
        jobs: results.map(({ job, ending }) => ({ id: job.jobId, kind: job.kind, ending: ending.type })),
      });
    }
    if (results.some(({ ending }) => ending.type === 'later')) this.promoter.wake();
    if (this.options.once || results.some(({ ending }) => ending.type === 'ready')) this.claimer.lookAround();
    else this.claimer.kick();
  }

  private rescued(rescue: { workerId: string; returned: number; buried: number }): void {
    this.log.warn(
      `worker ${rescue.workerId} died: ${rescue.returned} jobs went back, ${rescue.buried} are dead letters`,
    );
    this.emit('rescued', rescue);
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
