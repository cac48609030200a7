/**
 * Runs the claimed jobs of one worker: starts what its queues and slots allow, hands each attempt to its
 * executor, and turns outcomes into results for the completer.
 */

import { recordError } from '../domain/attempt.ts';
import type { Clock } from '../domain/clock.ts';
import type { RetryAnswer } from '../domain/decide-ending.ts';
import { isLineshaftError } from '../domain/errors.ts';
import type { EnqueueRequest } from '../domain/job-options.ts';
import { checkPayload, upgradePayload } from '../domain/kinds.ts';
import type { Hooks } from '../plugins/hooks.ts';
import type { PreparedJob } from '../queue/enqueue-batch.ts';
import type { StepRuns } from '../workflow/step-runs.ts';
import { askRetry } from './ask-retry.ts';
import { HeldAttemptEnd, HeldAttemptFacts } from './attempt-facts.ts';
import { failedForGood, resultOf } from './attempt-result.ts';
import type { Circuits } from './circuits.ts';
import { openHeap } from './compact-heap.ts';
import type { Completer, Result } from './completer.ts';
import type { ExecutorPool } from './executor-pool.ts';
import type { Attempt, AttemptEvent, AttemptListener, Outcome } from './executors/port.ts';
import { HeldJob, type Lease } from './held-job.ts';
import type { JobLeases } from './job-leases.ts';
import type { JobReports } from './job-reports.ts';
import type { QueueRuntime } from './queue-runtime.ts';
import type { RegisteredKind } from './registry.ts';
import { noteSpent, throttledOutcome } from './settlements.ts';
import { Surroundings } from './surroundings.ts';

export interface RunnerHost {
  readonly clock: Clock;
  readonly slots: number;
  /** A job whose worker dies this often is a dead letter. */
  readonly maxRescues: number;
  readonly build: string;
  readonly outputMaxBytes: number;
  readonly kinds: ReadonlyMap<string, RegisteredKind>;
  readonly executors: ExecutorPool;
  readonly completer: Completer;
  readonly circuits: Circuits;
  runtimes(): IterableIterator<QueueRuntime>;
  random(): number;
  readonly hooks: Hooks;
  readonly jobLeases: JobLeases;
  /** Has the inputs of steps that are not in their jobs as they are handed to handlers. */
  readonly steps: Pick<StepRuns, 'claimed' | 'inputOf' | 'redact'>;
  /** By how much the clock of the database is ahead of ours. For metrics only. */
  clockOffsetMs(): number;
  prepare(request: EnqueueRequest): PreparedJob;
  /** Says in the lease that a suspect is being started. */
  markSuspect(job: HeldJob): Promise<unknown>;
  readonly reports: JobReports;
  onFailed(job: HeldJob, outcome: Outcome & { type: 'failed' }, result: Result): void;
  /** A job ended: there may be room for others. */
  onRoom(): void;
}

/** Suspects wait for each other at most so long; then they are given back, for other workers. */
const suspectPatienceMs = 10_000;

export class Runner implements AttemptListener {
  private readonly host: RunnerHost;
  private readonly leases = new Map<string, Lease>();
  private starting = false;
  private stopped = false;
  /** The one job that runs although a worker died with it before: if this one dies too, it is told from its neighbours. */
  private suspect: HeldJob | undefined;
  private hasSuspects = false;
  private rotation = 0;
  /** Attempts that run now. */
  running = 0;
  /** Resolved each time an attempt ends while somebody waits for it. */
  private idleWaiters: (() => void)[] = [];

  /** There where plugins have something to go around attempts. */
  private readonly surroundings: Surroundings | undefined;

  constructor(host: RunnerHost) {
    this.host = host;
    const { around } = host.hooks;
    this.surroundings = around === undefined ? undefined : new Surroundings(around, this);
  }

  /** Claimed jobs that run or wait in memory. */
  get held(): number {
    let held = 0;
    for (const runtime of this.host.runtimes()) held += runtime.held;
    return held;
  }

  openLeases(): IterableIterator<Lease> {
    return this.leases.values();
  }

  knowsLease(id: string): boolean {
    return this.leases.has(id);
  }

  add(lease: Lease, jobs: readonly HeldJob[]): void {
    this.leases.set(lease.id, lease);
    lease.unsettled = jobs.length;
    lease.listed = jobs.length;
    const steps: HeldJob[] = [];
    for (const job of jobs) {
      lease.open.set(job.jobId, job);
      if (job.runtime.queue.steps) steps.push(job);
      // The next death of a worker buries it: that must not be laid at the door of its neighbours.
      const isSuspect = job.rescued > 0 && job.rescued + 1 >= this.host.maxRescues;
      job.runtime.add(job, isSuspect);
      job.tally.claimed += 1;
      if (isSuspect) this.hasSuspects = true;
    }
    if (steps.length === 0) return;
    openHeap();
    this.host.steps.claimed(steps);
  }

  /** Finds a job that this worker holds. */
  find(jobId: string): HeldJob | undefined {
    for (const lease of this.leases.values()) {
      const job = lease.open.get(jobId);
      if (job !== undefined) return job;
    }
    return undefined;
  }

  /** Starts waiting jobs as far as slots and the concurrency of their queues allow, queues taking turns. */
  startJobs(): void {
    if (this.starting || this.stopped) return;
    this.startSuspect();
    this.starting = true;
    let progress = true;
    while (progress && this.running < this.host.slots) {
      progress = false;
      for (const runtime of this.inTurn()) {
        if (this.running >= this.host.slots) break;
        // A queue starts a few before the next has its turn.
        for (let n = 0; n < 16; n += 1) {
          if (runtime.running >= runtime.queue.concurrency || this.running >= this.host.slots) break;
          const job = runtime.take();
          if (job === undefined) break;
          this.begin(job);
          progress = true;
        }
      }
    }
    this.starting = false;
  }

  /** No further job starts. */
  stopStarting(): void {
    this.stopped = true;
  }

  /** Gives back the jobs that wait in memory: of one queue, or of all. */
  giveBack(only?: QueueRuntime): void {
    for (const runtime of only === undefined ? this.host.runtimes() : [only]) {
      for (const job of runtime.takeAll()) this.end(job, { type: 'returned' });
    }
  }

  /** Gives back the jobs of a kind that wait in memory, but probes of its circuit. */
  giveBackKind(kind: string): void {
    for (const runtime of this.host.runtimes()) {
      for (const job of runtime.takeKind(kind)) this.end(job, { type: 'returned' });
    }
  }

  /** Gives back what waits in memory behind a slow job for longer than `afterMs`, so that others can have it. */
  giveBackStale(now: number, afterMs: number): void {
    for (const runtime of this.host.runtimes()) {
      for (const job of runtime.takeSuspectsBefore(now - suspectPatienceMs))
        this.end(job, { type: 'returned' });
      const since = runtime.waitingSinceMs;
      if (since === undefined || now - since < afterMs) continue;
      // A slot is free for it: it is about to start.
      if (runtime.running === 0 && this.running < this.host.slots) continue;
      // What the slow job took so far ends the prefetch of its queue.
      runtime.observe(afterMs / 2);
      this.giveBack(runtime);
    }
  }

  /** Resolves when no attempt runs. */
  async idle(): Promise<void> {
    while (this.running > 0) await new Promise<void>((resolve) => this.idleWaiters.push(resolve));
  }

  /** Asks the attempts that run to end. */
  interrupt(reason: 'shutdown' | 'lease-lost', graceMs: number): void {
    for (const lease of this.leases.values()) {
      for (const job of lease.open.values()) {
        if (job.state === 'running') this.interruptOne(job, reason, graceMs);
      }
    }
  }

  /** Attempts that did not end although they were asked to: their jobs go back, what they still give is ignored. */
  abandonRunning(): void {
    for (const lease of this.leases.values()) {
      for (const job of [...lease.open.values()])
        if (job.state === 'running') this.onOutcome(job, { type: 'returned' });
    }
  }

  /** The database has forgotten this worker: what waits is dropped, what runs is interrupted; nothing is written for them. */
  disown(): void {
    for (const runtime of this.host.runtimes()) {
      for (const job of runtime.takeAll()) {
        job.end();
        job.lease.unsettled -= 1;
        if (job.lease.unsettled === 0) this.leases.delete(job.lease.id);
      }
    }
    this.interrupt('lease-lost', 0);
  }

  /** A job was cancelled by somebody: its row is gone already. */
  cancel(jobId: string, graceMs: number): void {
    const job = this.find(jobId);
    if (job === undefined) return;
    if (job.state === 'running') this.interruptOne(job, 'cancelled', graceMs);
    else if (job.state === 'waiting') this.end(job, { type: 'returned' });
  }

  private interruptOne(job: HeldJob, why: 'cancelled' | 'shutdown' | 'lease-lost', graceMs: number): void {
    if (this.surroundings?.cancel(job) !== true) this.host.executors.cancel(job, why, graceMs);
  }

  onStart(attempt: Attempt): void {
    if (attempt instanceof HeldJob) attempt.startedMs = this.host.clock.now();
  }

  onEvent(attempt: Attempt, event: AttemptEvent): void {
    if (!(attempt instanceof HeldJob) || attempt.state !== 'running') return;
    if (event.type === 'heartbeat') this.host.jobLeases.beat(attempt);
    else if (event.type === 'spent') noteSpent(attempt, event.limit, event.amount);
    else this.host.reports.event(attempt, event);
  }

  /** The lease of a single job has lapsed: others may have it by now. */
  leaseLost(jobId: string, graceMs: number): void {
    const job = this.find(jobId);
    if (job?.state === 'running' && job.leaseMs !== undefined) this.interruptOne(job, 'lease-lost', graceMs);
  }

  onOutcome(attempt: Attempt, given: Outcome): void {
    if (!(attempt instanceof HeldJob) || attempt.state !== 'running') return;
    const outcome = throttledOutcome(attempt, this.withoutSecrets(attempt, given));
    const asked = this.askPlugins(outcome) ?? this.askRetry(attempt, outcome);
    if (!(asked instanceof Promise)) {
      this.ended(attempt, outcome, asked);
      return;
    }
    // It keeps its slot until it is known what becomes of it; a stop may end it before.
    asked.then(
      (known) => {
        if (attempt.state !== 'running') return;
        if (typeof known === 'object' && 'type' in known) this.ended(attempt, known);
        else this.ended(attempt, outcome, known);
      },
      () => {},
    );
  }

  /** What went wrong in a step is told without secrets that its handler was given. */
  private withoutSecrets(job: HeldJob, outcome: Outcome): Outcome {
    if (outcome.type !== 'failed' || !job.runtime.queue.steps) return outcome;
    const { message, stack } = outcome.error;
    const clean = { message: this.host.steps.redact(message) };
    const frames = stack === undefined ? {} : { stack: this.host.steps.redact(stack) };
    return { ...outcome, error: { ...outcome.error, ...clean, ...frames } };
  }

  /** What plugins make of the jobs that a handler enqueues; a refusal fails the attempt. Undefined: nothing to ask. */
  private askPlugins(outcome: Outcome): Promise<Outcome> | undefined {
    const { enqueue } = this.host.hooks;
    if (enqueue === undefined || outcome.type !== 'succeeded' || outcome.enqueue.length === 0)
      return undefined;
    return Promise.all(outcome.enqueue.map((request) => enqueue(request))).then(
      (requests): Outcome => ({ ...outcome, enqueue: requests }),
      (error: unknown) => failedForGood(error),
    );
  }

  private askRetry(job: HeldJob, outcome: Outcome): RetryAnswer | Promise<RetryAnswer> {
    if (outcome.type !== 'failed' || !outcome.retryable) return undefined;
    const retry = this.host.kinds.get(job.kind)?.definition?.retry;
    if (retry === undefined) return undefined;
    return askRetry(retry, outcome.error, job.attempt, {
      clock: this.host.clock,
      onTrouble: (why) => this.host.reports.retryTrouble(job, why),
    });
  }

  private ended(attempt: HeldJob, outcome: Outcome, answer?: RetryAnswer): void {
    const { runtime } = attempt;
    const slotsWereFull = this.running >= this.host.slots;
    runtime.running -= 1;
    this.running -= 1;
    this.end(attempt, outcome, answer);
    if (this.running === 0 && this.idleWaiters.length > 0) {
      for (const resolve of this.idleWaiters.splice(0)) resolve();
    }
    if (slotsWereFull) this.startJobs();
    else this.refill(runtime);
    this.startSuspect();
    this.host.onRoom();
  }

  /** Starts the next suspect, if none of them runs; the lease says so first. */
  private startSuspect(): void {
    if (!this.hasSuspects || this.suspect !== undefined || this.stopped || this.running >= this.host.slots)
      return;
    this.hasSuspects = false;
    for (const runtime of this.host.runtimes()) {
      if (runtime.suspectCount === 0) continue;
      this.hasSuspects = true;
      if (runtime.running >= runtime.queue.concurrency) continue;
      const job = runtime.takeSuspect();
      if (job === undefined) continue;
      this.suspect = job;
      this.take(job);
      this.host.markSuspect(job).then(
        () => {
          if (job.state === 'running') this.launch(job);
        },
        () => this.onOutcome(job, { type: 'returned' }),
      );
      return;
    }
  }

  /** Starts the next jobs of one queue; right where only its own concurrency held them back. */
  private refill(runtime: QueueRuntime): void {
    if (this.starting || this.stopped) return;
    this.starting = true;
    while (runtime.running < runtime.queue.concurrency && this.running < this.host.slots) {
      const job = runtime.take();
      if (job === undefined) break;
      this.begin(job);
    }
    this.starting = false;
  }

  /** The results of a lease's jobs were written; the lease goes with the last. */
  onSettled(results: readonly Result[], late: boolean): void {
    for (const { job, ending } of results) {
      if (late) job.tally.late += 1;
      else job.tally.countEnding(ending);
      job.lease.unsettled -= 1;
      if (job.lease.unsettled === 0) this.leases.delete(job.lease.id);
    }
  }

  private begin(job: HeldJob): void {
    this.take(job);
    this.launch(job);
  }

  /** Runs a job once it has a lease of its own. */
  private runLeased(job: HeldJob, kind: RegisteredKind, leaseMs: number): void {
    this.host.jobLeases.take(job, leaseMs).then(
      () => {
        if (job.state === 'running') this.runNow(job, kind);
      },
      () => this.onOutcome(job, { type: 'returned' }),
    );
  }

  private take(job: HeldJob): void {
    job.state = 'running';
    job.runtime.running += 1;
    this.running += 1;
  }

  private launch(job: HeldJob): void {
    const kind = this.host.kinds.get(job.kind);
    if (kind === undefined) {
      this.onOutcome(job, { type: 'returned' });
      return;
    }
    const input = job.runtime.queue.steps ? this.host.steps.inputOf(job) : job.sentText;
    if (!(input instanceof Promise)) {
      job.give(input);
      this.prepare(job, kind);
      return;
    }
    input.then(
      (read) => {
        job.give(read);
        if (job.state === 'running') this.prepare(job, kind);
      },
      () => this.onOutcome(job, { type: 'returned' }),
    );
  }

  private prepare(job: HeldJob, kind: RegisteredKind): void {
    const { definition } = kind;
    if (definition?.schema === undefined && (definition?.version ?? 1) === job.version) {
      this.execute(job, kind);
      return;
    }
    this.prepareAndRun(job, kind).catch((error: unknown) => {
      this.onOutcome(job, { type: 'failed', error: recordError(error), retryable: true });
    });
  }

  /** Brings an old payload up to date and checks it, then runs the job. */
  private async prepareAndRun(job: HeldJob, kind: RegisteredKind): Promise<void> {
    const { definition } = kind;
    let payload: unknown = JSON.parse(job.payloadText);
    if ((definition?.version ?? 1) !== job.version) {
      try {
        payload = await upgradePayload(definition, job.version, payload);
      } catch (error) {
        this.block(job, error);
        return;
      }
    }
    try {
      job.payloadText = JSON.stringify(await checkPayload(job.kind, definition, payload)) ?? 'null';
    } catch (error) {
      const retryable = isLineshaftError(error) ? error.retryable : true;
      this.onOutcome(job, { type: 'failed', error: recordError(error), retryable });
      return;
    }
    this.execute(job, kind);
  }

  private execute(job: HeldJob, kind: RegisteredKind): void {
    const { leaseMs } = job;
    if (leaseMs === undefined) this.runNow(job, kind);
    else this.runLeased(job, kind, leaseMs);
  }

  private runNow(job: HeldJob, kind: RegisteredKind): void {
    const { hooks, executors } = this.host;
    job.startedMs = this.host.clock.now();
    job.tally.started += 1;
    job.runtime.delays.observe(job.startedMs + this.host.clockOffsetMs() - job.dueMs);
    if (hooks.attemptStart !== undefined) hooks.attemptStart(new HeldAttemptFacts(job));
    if (this.surroundings === undefined) executors.run(job, kind, this);
    else this.surroundings.run(job, (listener) => executors.run(job, kind, listener));
  }

  /** A payload that cannot be upgraded waits for a build that can, and no attempt is counted. */
  private block(job: HeldJob, error: unknown): void {
    job.runtime.running -= 1;
    this.running -= 1;
    this.settle(job, {
      job,
      ending: {
        type: 'blocked',
        reason: 'upgrade-failed',
        detail: { build: this.host.build, from: job.version, error: recordError(error) },
      },
      finishedMs: this.host.clock.now(),
      enqueue: [],
    });
    this.startJobs();
    this.host.onRoom();
  }

  private end(job: HeldJob, outcome: Outcome, answer?: RetryAnswer): void {
    const finishedMs = this.host.clock.now();
    if (job.startedMs > 0) job.runtime.observe(finishedMs - job.startedMs);
    const result = resultOf(this.host, job, outcome, { finishedMs, answer });
    this.settle(job, result);
    if (this.host.hooks.attemptEnd !== undefined && job.startedMs > 0) {
      this.host.hooks.attemptEnd(new HeldAttemptEnd(outcome, result));
    }
    if (outcome.type === 'failed') this.host.onFailed(job, outcome, result);
  }

  private settle(job: HeldJob, result: Result): void {
    job.end();
    this.host.jobLeases.ended(job);
    if (job === this.suspect) this.suspect = undefined;
    this.host.circuits.observe(job, result.ending);
    this.host.completer.add(result);
  }

  private *inTurn(): Generator<QueueRuntime> {
    const runtimes = [...this.host.runtimes()].filter((runtime) => runtime.waitingCount > 0);
    if (runtimes.length > 1) {
      runtimes.sort((a, b) => b.queue.priority - a.queue.priority);
      this.rotation = (this.rotation + 1) % runtimes.length;
    }
    for (let n = 0; n < runtimes.length; n += 1) {
      const runtime = runtimes[(n + this.rotation) % runtimes.length];
      if (runtime !== undefined) yield runtime;
    }
  }
}
