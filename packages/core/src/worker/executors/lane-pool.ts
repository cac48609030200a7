/**
 * The executors `thread` and `process`: attempts in their order to a number of lanes, each of which runs one
 * at a time. Here is what they have in common: who gets what, limits, cancelling, and the replacing of lanes.
 *
 * Attempts that take microseconds are given to a lane many at once, as the way there and back would cost more
 * than they do. When one of them takes longer than expected the others are taken back within `watchMs` or
 * two, and run elsewhere. Nothing is ever started twice; see `protocol.ts` for how that is.
 */

import type { ErrorRecord } from '../../domain/attempt.ts';
import type { JobLog } from '../handler.ts';
import { limitGraceMs, stopGraceMs } from './bounds.ts';
import { Deadlines } from './deadlines.ts';
import { Deque } from './deque.ts';
import { Entry, type KindPace } from './entry.ts';
import { Lane, type LaneOwner } from './lane.ts';
import { LaneSupply } from './lane-supply.ts';
import type { Interruption } from './outcomes.ts';
import { failedAs, interruptedOutcome, returned, unknownKind } from './outcomes.ts';
import type { Attempt, AttemptEvent, AttemptListener, Executor, ExecutorName, Outcome } from './port.ts';
import type { DownMessage } from './protocol.ts';
import type { Loss, Transport, TransportEvents } from './transport.ts';

export interface LanePoolOptions {
  readonly name: ExecutorName;
  readonly concurrency: number;
  /** How many lanes. */
  readonly size: number;
  /** First message to each lane; made by `start`. @throws HANDLER_INVALID */
  readonly init: () => Extract<DownMessage, readonly ['init', ...unknown[]]>;
  readonly open: (memoryBytes: number | undefined, events: TransportEvents) => Transport;
  /** Memory limit of attempts that have none of their own. */
  readonly memoryBytes: number | undefined;
  /** Whether the memory of an attempt can be measured here. */
  readonly canLimitMemory: boolean;
  /** A lane is replaced after this many attempts; 0: never. */
  readonly maxTasks: number;
  readonly log: JobLog;
}

/** How often silent lanes are looked at. */
const watchMs = 20;
/** For how long an attempt waits for a busy lane of its memory limit while lanes of another one are idle. */
const switchAfterMs = 250;
/** A lane is filled up to this before the next one gets short attempts: larger texts, fewer wake-ups. */
const packMs = 0.5;

export class LanePool implements Executor, LaneOwner {
  readonly name: ExecutorName;
  readonly concurrency: number;
  readonly #options: LanePoolOptions;
  readonly #supply: LaneSupply;
  readonly #kinds = new Map<string, KindPace>();
  readonly #queue = new Deque<Entry>();
  readonly #entries = new Map<string, Entry>();
  readonly #limits = new Deadlines<Entry>((entry) => this.#timeUp(entry));
  readonly #graces = new Deadlines<Entry>((entry) => this.#graceOver(entry));
  readonly #cancelled = new Map<Entry, Interruption>();
  #dispatchSet = false;
  /** The attempt that found no lane last, and since when. */
  #waiting: Entry | undefined;
  #waitingSince = 0;
  #watch: NodeJS.Timeout | undefined;
  #stopping = false;
  #stopped: Promise<void> | undefined;

  constructor(options: LanePoolOptions) {
    this.name = options.name;
    this.concurrency = options.concurrency;
    this.#options = options;
    this.#supply = new LaneSupply({
      size: options.size,
      log: options.log,
      open: (memoryBytes, init) =>
        new Lane(this, memoryBytes, (events) => options.open(memoryBytes, events), init),
      onHopeless: (reason) => this.#failQueued(reason),
    });
  }

  async start(): Promise<void> {
    const init = this.#options.init();
    for (const [kind] of init[1]) this.#kinds.set(kind, { expectedMs: Number.POSITIVE_INFINITY });
    try {
      await this.#supply.start(init, this.#options.memoryBytes);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  run(attempt: Attempt, listener: AttemptListener): void {
    const pace = this.#kinds.get(attempt.kind);
    const refusal = this.#refusalOf(attempt, pace);
    if (refusal !== undefined || pace === undefined) {
      listener.onOutcome(attempt, refusal ?? returned);
      return;
    }
    const entry = new Entry(attempt, listener, pace);
    this.#entries.set(attempt.jobId, entry);
    this.#queue.push(entry);
    this.#dispatchSoon();
  }

  cancel(jobId: string, reason: 'cancelled' | 'shutdown' | 'lease-lost', graceMs: number): void {
    const entry = this.#entries.get(jobId);
    if (entry === undefined || this.#cancelled.has(entry)) return;
    // Behind others in a lane, or perhaps running: after taking back it is known which.
    if (entry.lane !== undefined && !entry.started) this.#reclaim(entry.lane);
    if (entry.ended) return;
    if (entry.lane === undefined) {
      this.#end(entry, interruptedOutcome(reason, entry.attempt));
      return;
    }
    this.#cancelled.set(entry, reason);
    this.#graces.set(entry, performance.now() + graceMs);
    entry.lane.interrupt(entry, reason);
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** @internal */
  onReady(lane: Lane): void {
    this.#supply.onReady(lane);
    this.#dispatchSoon();
  }

  /** @internal */
  onRefused(lane: Lane, error: ErrorRecord): void {
    this.#supply.onRefused(lane, error);
  }

  /** @internal */
  onStarted(entry: Entry, at: number): void {
    entry.started = true;
    const { timeoutMs } = entry.attempt;
    if (timeoutMs !== undefined) this.#limits.set(entry, at + timeoutMs);
    if (this.#memoryLimitOf(entry) !== undefined) this.#watchSoon();
    entry.listener.onStart(entry.attempt);
  }

  /** @internal */
  onEvent(entry: Entry, event: AttemptEvent): void {
    const { timeoutMs } = entry.attempt;
    if (event.type === 'heartbeat' && timeoutMs !== undefined) {
      this.#limits.set(entry, performance.now() + timeoutMs);
    }
    entry.listener.onEvent(entry.attempt, event);
  }

  /** @internal */
  onOutcome(entry: Entry, outcome: Outcome): void {
    this.#supply.onSuccess();
    this.#end(entry, outcome, true);
  }

  /** @internal */
  onRoom(lane: Lane): void {
    if (lane.closing && lane.idle) this.#supply.onDone(lane);
    if (this.#queue.length > 0) this.#dispatchSoon();
  }

  /** @internal */
  onLine(lane: Lane, level: 'info' | 'warn' | 'error', line: string, stream?: string): void {
    const jobId = lane.runningEntry()?.attempt.jobId;
    this.#options.log[level](line, {
      from: lane.label,
      ...(stream === undefined ? {} : { stream }),
      ...(jobId === undefined ? {} : { jobId }),
    });
  }

  /** @internal */
  onLost(lane: Lane, loss: Loss, unstarted: readonly Entry[], running: readonly Entry[]): void {
    for (const entry of running) {
      if (!entry.ended) this.#end(entry, this.#lossOutcome(lane, loss, entry), true);
      entry.lane = undefined;
    }
    this.#requeue(unstarted);
    this.#supply.onLost(lane, loss, lane.worked || running.length > 0);
    this.#dispatchSoon();
  }

  #refusalOf(attempt: Attempt, pace: KindPace | undefined): Outcome | undefined {
    if (this.#stopping) return returned;
    if (pace === undefined) return unknownKind(attempt);
    if (attempt.memoryBytes === undefined || this.#options.canLimitMemory) return undefined;
    return failedAs(
      'OPTION_INVALID',
      `a memory limit cannot be held for processes on ${process.platform}; use 'thread', or remove it`,
    );
  }

  #dispatchSoon(): void {
    if (this.#dispatchSet) return;
    this.#dispatchSet = true;
    // After all calls of `run` of this turn, so that they travel together.
    queueMicrotask(() => {
      this.#dispatchSet = false;
      this.#dispatch();
    });
  }

  #dispatch(): void {
    const now = performance.now();
    const given = new Set<Lane>();
    for (let entry = this.#queue.first(); entry !== undefined; entry = this.#queue.first()) {
      const lane = entry.ended ? undefined : this.#laneFor(entry, now);
      // Strictly in order: an attempt that needs another sort of lane would starve otherwise.
      if (lane === undefined && !entry.ended) break;
      this.#queue.shift();
      if (lane === undefined) continue;
      lane.give(entry, now);
      given.add(lane);
      if (this.#options.maxTasks > 0 && lane.given >= this.#options.maxTasks) this.#retire(lane, given);
    }
    for (const lane of given) lane.flush();
    if (given.size > 0) this.#watchSoon();
  }

  #laneFor(entry: Entry, now: number): Lane | undefined {
    const memoryBytes = this.#memoryLimitOf(entry);
    let best: Lane | undefined;
    for (const lane of this.#supply.lanes) {
      if (lane.memoryBytes !== memoryBytes || !lane.accepts(entry, now)) continue;
      if (lane.idle && this.#isBloated(lane, entry)) {
        this.#supply.retire(lane);
        return undefined;
      }
      if (lane.backlogMs + entry.pace.expectedMs <= packMs) return lane;
      if (best === undefined || lane.backlogMs < best.backlogMs) best = lane;
    }
    if (best === undefined) this.#want(entry, memoryBytes, now);
    return best;
  }

  /**
   * Lanes of another memory limit make room for it: at once if there are none of its own, otherwise after a
   * wait.
   */
  #want(entry: Entry, memoryBytes: number | undefined, now: number): void {
    if (this.#waiting !== entry) {
      this.#waiting = entry;
      this.#waitingSince = now;
    }
    const hasOwn = this.#supply.lanes.some((lane) => lane.memoryBytes === memoryBytes);
    if (!hasOwn || now - this.#waitingSince > switchAfterMs) this.#supply.want(memoryBytes);
    else this.#watchSoon();
  }

  /** What earlier attempts have left in a lane must not count against the limit of this one. */
  #isBloated(lane: Lane, entry: Entry): boolean {
    const limit = this.#memoryLimitOf(entry);
    return limit !== undefined && lane.worked && lane.heldBytes() > limit / 2;
  }

  #retire(lane: Lane, given: Set<Lane>): void {
    lane.flush();
    given.delete(lane);
    this.#supply.retire(lane);
    this.#watchSoon();
  }

  #reclaim(lane: Lane): void {
    this.#requeue(lane.reclaim());
  }

  #requeue(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    this.#queue.unshiftAll(entries.filter((entry) => !entry.ended));
    this.#dispatchSoon();
  }

  #watchSoon(): void {
    if (this.#watch !== undefined) return;
    this.#watch = setTimeout(() => {
      this.#watch = undefined;
      this.#look();
    }, watchMs);
    this.#watch.unref();
  }

  /** Looks after lanes that are silent, and after memory. */
  #look(): void {
    const since = performance.now() - watchMs;
    if (this.#queue.length > 0) this.#dispatchSoon();
    let again = this.#queue.length > 0;
    for (const lane of this.#supply.all()) {
      lane.onFinished();
      if (lane.isStuck(since)) this.#reclaim(lane);
      const entry = lane.runningEntry();
      const limit = entry === undefined ? undefined : this.#memoryLimitOf(entry);
      if (entry !== undefined && limit !== undefined) lane.checkMemory(limit, entry);
      again ||= limit !== undefined || lane.uncertain;
    }
    if (again) this.#watchSoon();
  }

  #memoryLimitOf(entry: Entry): number | undefined {
    return entry.attempt.memoryBytes ?? this.#options.memoryBytes;
  }

  #timeUp(entry: Entry): void {
    this.#interruptFor(entry, 'time-limit');
  }

  #graceOver(entry: Entry): void {
    if (entry.ended) {
      // It had its time limit and the moment after; if it runs still, its lane goes.
      entry.lane?.kill();
      return;
    }
    const why = this.#cancelled.get(entry) ?? 'cancelled';
    const { lane } = entry;
    this.#end(entry, interruptedOutcome(why, entry.attempt));
    lane?.kill();
  }

  /** The outcome now; the handler gets a moment to end by itself, which saves the lane. */
  #interruptFor(entry: Entry, why: Interruption): void {
    const { lane } = entry;
    if (lane === undefined) return;
    this.#reclaim(lane);
    if (entry.ended) return;
    this.#end(entry, interruptedOutcome(why, entry.attempt));
    lane.interrupt(entry, why);
    this.#graces.set(entry, performance.now() + limitGraceMs);
  }

  #lossOutcome(lane: Lane, loss: Loss, entry: Entry): Outcome {
    const why = this.#cancelled.get(entry);
    if (why !== undefined) return interruptedOutcome(why, entry.attempt);
    const limit = this.#memoryLimitOf(entry);
    if (lane.killedFor === 'memory' || (loss.outOfMemory && limit !== undefined)) {
      const bytes = limit ?? 0;
      return failedAs(
        'MEMORY_LIMIT_EXCEEDED',
        `the attempt used more memory than its limit of ${bytes} bytes`,
      );
    }
    if (lane.fatal !== undefined) return lane.fatal;
    return failedAs('ATTEMPT_CRASHED', `${lane.label}, which ran the attempt, ${loss.reason}`);
  }

  #end(entry: Entry, outcome: Outcome, ran = entry.started): void {
    if (entry.ended) return;
    entry.ended = true;
    const { attempt, listener } = entry;
    if (this.#entries.get(attempt.jobId) === entry) this.#entries.delete(attempt.jobId);
    if (attempt.timeoutMs !== undefined) this.#limits.delete(entry);
    if (this.#cancelled.size > 0 && this.#cancelled.delete(entry)) this.#graces.delete(entry);
    if (ran && !entry.started) {
      entry.started = true;
      listener.onStart(attempt);
    }
    listener.onOutcome(attempt, outcome);
  }

  #failQueued(reason: string): void {
    for (const entry of this.#queue.takeAll()) this.#end(entry, failedAs('ATTEMPT_CRASHED', reason));
  }

  async #stop(): Promise<void> {
    this.#stopping = true;
    for (const lane of this.#supply.all()) this.#reclaim(lane);
    for (const entry of this.#queue.takeAll()) this.#end(entry, returned);
    for (const entry of [...this.#entries.values()]) {
      this.cancel(entry.attempt.jobId, 'shutdown', stopGraceMs);
    }
    await this.#supply.stop();
    for (const entry of [...this.#entries.values()]) this.#end(entry, returned);
    clearTimeout(this.#watch);
    this.#limits.clear();
    this.#graces.clear();
  }
}
