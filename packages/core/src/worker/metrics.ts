/**
 * What a worker counts: integers that are raised where things happen, put together only when they are asked for.
 * `docs/operate/metrics.md` has each name with its unit.
 */

import type { CircuitState } from '../domain/circuit.ts';
import type { ServiceEvents } from '../plugin.ts';
import type { HookReport } from '../plugins/guard.ts';
import type { Result } from './completer.ts';
import type { QueueRuntime } from './queue-runtime.ts';

/** Counts of jobs since the worker started. */
export interface JobCounts {
  /** Jobs that were taken; those that were given back unstarted too. */
  readonly claimed: number;
  /** Attempts that were handed to an executor. */
  readonly started: number;
  readonly succeeded: number;
  /** Dead letters: the last attempt failed, or trying again was useless. */
  readonly failed: number;
  /** Attempts that failed and will be tried again. */
  readonly retried: number;
  readonly snoozed: number;
  readonly cancelled: number;
  /** Given back: not started, or interrupted by a stop. */
  readonly returned: number;
  /** Set aside because the payload could not be upgraded. */
  readonly blocked: number;
  /** Results that came after their job had moved on, and changed nothing. */
  readonly late: number;
}

/** Times from when a job could have started (its due time, or its enqueue) until it did, in milliseconds. */
export interface DelayMetrics {
  readonly count: number;
  readonly sumMs: number;
  readonly maxMs: number;
  /** How many were below each bound, and not below the one before; bounds are 1, 2, 4 … 2^20 ms, the last is infinite. */
  readonly buckets: readonly { readonly belowMs: number; readonly count: number }[];
}

export interface WorkerMetrics extends JobCounts {
  readonly workerId: string;
  /** Room for running attempts. */
  readonly slots: number;
  /** Attempts that run now. */
  readonly running: number;
  /** Claimed jobs that run or wait in memory now. */
  readonly held: number;
  /** Results that are not written yet. */
  readonly unwritten: number;
  /** Whether this worker leads now. */
  readonly leads: boolean;
  /** Claims that were sent; empty ones too. */
  readonly claims: number;
  /** Mean number of jobs that a claim brought; 0 before the first. */
  readonly claimedPerClaim: number;
  /** Jobs of other workers that this one gave back because their worker died, or let their own lease run out. */
  readonly rescued: number;
  /** Such jobs that are dead letters now, because that happened too often. */
  readonly buried: number;
  readonly schedulingDelay: DelayMetrics;
  readonly queues: readonly QueueMetrics[];
  /** The circuit breakers of the kinds that this worker knows. */
  readonly circuits: readonly CircuitMetrics[];
  /** The parts of plugins that were there to be called, and how they did. */
  readonly hooks: readonly HookReport[];
}

export interface QueueMetrics extends JobCounts {
  /** Its slug: `<project number>-<name>`. */
  readonly queue: string;
  readonly schedulingDelay: DelayMetrics;
  readonly kinds: readonly (JobCounts & { readonly kind: string })[];
}

/** The circuit breaker of a kind, as this worker knows it. */
export interface CircuitMetrics {
  readonly kind: string;
  readonly state: CircuitState;
  /** How often this worker saw it open. */
  readonly opened: number;
  /** Probes that this worker ran to an end. */
  readonly probes: number;
}

/** Counts of the jobs of one kind in one queue. */
export class Tally implements JobCounts {
  claimed = 0;
  started = 0;
  succeeded = 0;
  failed = 0;
  retried = 0;
  snoozed = 0;
  cancelled = 0;
  returned = 0;
  blocked = 0;
  late = 0;

  /** Counts how an attempt ended, once that is written. */
  countEnding(ending: Result['ending']): void {
    switch (ending.type) {
      case 'succeeded':
        this.succeeded += 1;
        break;
      case 'later':
        if (ending.reason === 'r') this.retried += 1;
        else this.snoozed += 1;
        break;
      case 'dead':
        this.failed += 1;
        break;
      case 'cancelled':
        this.cancelled += 1;
        break;
      case 'ready':
        this.returned += 1;
        break;
      case 'blocked':
        this.blocked += 1;
        break;
    }
  }

  add(other: JobCounts): void {
    for (const name of countNames) this[name] += other[name];
  }
}

const countNames = [
  'claimed',
  'started',
  'succeeded',
  'failed',
  'retried',
  'snoozed',
  'cancelled',
  'returned',
  'blocked',
  'late',
] as const satisfies readonly (keyof JobCounts)[];

const bucketCount = 22;

/** Scheduling delays of one queue; a bucket is found by the number of the delay's binary digits. */
export class Delays {
  private count = 0;
  private sumMs = 0;
  private maxMs = 0;
  private readonly buckets = new Array<number>(bucketCount).fill(0);

  observe(delayMs: number): void {
    // Clocks are not exact: a job cannot have started before it was due.
    const ms = Math.max(delayMs, 0);
    this.count += 1;
    this.sumMs += ms;
    if (ms > this.maxMs) this.maxMs = ms;
    const digits = ms < 1_048_576 ? 32 - Math.clz32(ms) : bucketCount - 1;
    this.buckets[digits] = (this.buckets[digits] ?? 0) + 1;
  }

  add(other: Delays): void {
    this.count += other.count;
    this.sumMs += other.sumMs;
    if (other.maxMs > this.maxMs) this.maxMs = other.maxMs;
    for (const [place, count] of other.buckets.entries())
      this.buckets[place] = (this.buckets[place] ?? 0) + count;
  }

  snapshot(): DelayMetrics {
    const { count, sumMs, maxMs } = this;
    const buckets = this.buckets.map((n, digits) => ({
      belowMs: digits === bucketCount - 1 ? Number.POSITIVE_INFINITY : 2 ** digits,
      count: n,
    }));
    return { count, sumMs, maxMs, buckets };
  }
}

/** Jobs of others that this worker gave back, or made dead letters. */
export class RescueCounts {
  rescued = 0;
  buried = 0;

  count(fact: ServiceEvents[keyof ServiceEvents][0]): void {
    if ('returned' in fact) {
      this.rescued += fact.returned;
      this.buried += fact.buried;
    } else if ('jobId' in fact) this[fact.final ? 'buried' : 'rescued'] += 1;
  }
}

/** A snapshot of everything that a worker counts. */
export function snapshot(
  gauges: Pick<
    WorkerMetrics,
    | 'workerId'
    | 'slots'
    | 'running'
    | 'held'
    | 'unwritten'
    | 'leads'
    | 'claims'
    | 'rescued'
    | 'buried'
    | 'circuits'
    | 'hooks'
  >,
  runtimes: Iterable<QueueRuntime>,
): WorkerMetrics {
  const total = new Tally();
  const delays = new Delays();
  const queues: QueueMetrics[] = [];
  for (const runtime of runtimes) {
    const sum = new Tally();
    const kinds = [...runtime.tallies].map(([kind, tally]) => ({ kind, ...tally }));
    for (const tally of runtime.tallies.values()) sum.add(tally);
    total.add(sum);
    delays.add(runtime.delays);
    queues.push({ queue: runtime.queue.slug, ...sum, schedulingDelay: runtime.delays.snapshot(), kinds });
  }
  return {
    ...gauges,
    ...total,
    claimedPerClaim: gauges.claims === 0 ? 0 : total.claimed / gauges.claims,
    schedulingDelay: delays.snapshot(),
    queues,
  };
}
