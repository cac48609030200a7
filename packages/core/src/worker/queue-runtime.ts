/** A queue as one worker serves it: its settings, the jobs that wait in memory, and how long attempts take. */

import type { Queue } from '../domain/queue.ts';
import type { HeldJob } from './held-job.ts';
import { Delays, Tally } from './metrics.ts';

/** Results with the same label are written by one statement: how they ended, and how long they are kept. */
export function finalLabel(ending: 'succeeded' | 'cancelled', keepMs: number): string {
  return `${keepMs > 0 ? `keep:${keepMs}` : 'forget'}:${ending}`;
}

/**
 * Steps that a worker holds beyond its slots, with those that end and are not written yet. As many as go well together in a
 * write; with more, runs take turns step by step, all of them are in memory at once, and none ends before all the others do.
 */
const stepsAhead = 500;

export class QueueRuntime {
  /** The labels of results whose jobs have no retention of their own. */
  labels: { readonly succeeded: string; readonly cancelled: string };
  running = 0;
  /** Places of steps that have ended, kept for those which follow on them until that is written. */
  kept = 0;
  /** Mean duration of recent attempts in ms, exponentially smoothed; undefined before the first has ended. */
  meanMs: number | undefined;
  /** Mean number of jobs that one of its lanes gave, where lanes take turns; undefined before the first was asked. */
  perLane: number | undefined;
  /** What is counted of its jobs, by kind. */
  readonly tallies = new Map<string, Tally>();
  readonly delays = new Delays();
  /** Jobs that would be buried if their worker died with them; they run one at a time. */
  private suspects: HeldJob[] = [];
  private waiting: HeldJob[] = [];
  private head = 0;

  private settings: Queue;

  constructor(queue: Queue) {
    this.settings = queue;
    this.labels = labelsOf(queue);
  }

  get queue(): Queue {
    return this.settings;
  }

  set queue(queue: Queue) {
    this.settings = queue;
    this.labels = labelsOf(queue);
  }

  tallyOf(kind: string): Tally {
    let tally = this.tallies.get(kind);
    if (tally === undefined) {
      tally = new Tally();
      this.tallies.set(kind, tally);
    }
    return tally;
  }

  /** At most so many jobs beyond its free slots; undefined: as many as claims bring. */
  get aheadMost(): number | undefined {
    return this.settings.steps ? stepsAhead : undefined;
  }

  get waitingCount(): number {
    return this.waiting.length - this.head;
  }

  get held(): number {
    return this.running + this.waitingCount + this.suspects.length;
  }

  add(job: HeldJob, isSuspect = false): void {
    if (isSuspect) this.suspects.push(job);
    else this.waiting.push(job);
  }

  /** The next job that has not been cancelled meanwhile. */
  take(): HeldJob | undefined {
    while (this.head < this.waiting.length) {
      const job = this.waiting[this.head];
      this.head += 1;
      if (this.head > 256 && this.head * 2 > this.waiting.length) {
        this.waiting = this.waiting.slice(this.head);
        this.head = 0;
      }
      if (job !== undefined && job.state === 'waiting') return job;
    }
    return undefined;
  }

  get suspectCount(): number {
    return this.suspects.length;
  }

  /** The next of the jobs that run one at a time. */
  takeSuspect(): HeldJob | undefined {
    for (let job = this.suspects.shift(); job !== undefined; job = this.suspects.shift()) {
      if (job.state === 'waiting') return job;
    }
    return undefined;
  }

  /** Those of them that have waited in memory since before a time, by the monotonic clock. */
  takeSuspectsBefore(timeMs: number): HeldJob[] {
    if (this.suspects.length === 0) return [];
    const old = this.suspects.filter((job) => job.lease.takenAtMs < timeMs);
    this.suspects = this.suspects.filter((job) => job.lease.takenAtMs >= timeMs);
    return old.filter((job) => job.state === 'waiting');
  }

  /** Empties the memory: all jobs that have not started. */
  takeAll(): HeldJob[] {
    const jobs = [...this.suspects, ...this.waiting.slice(this.head)].filter(
      (job) => job.state === 'waiting',
    );
    this.suspects = [];
    this.waiting = [];
    this.head = 0;
    return jobs;
  }

  /** Takes the jobs of a kind out of the memory, but probes of its circuit: those that have not started. */
  takeKind(kind: string): HeldJob[] {
    const leaves = (job: HeldJob): boolean => job.kind === kind && job.probe === undefined;
    const waiting = this.waiting.slice(this.head);
    const taken = [...this.suspects, ...waiting].filter((job) => leaves(job) && job.state === 'waiting');
    this.suspects = this.suspects.filter((job) => !leaves(job));
    this.waiting = waiting.filter((job) => !leaves(job));
    this.head = 0;
    return taken;
  }

  /** Since when the oldest job waits in memory, by the monotonic clock; undefined if none does. */
  get waitingSinceMs(): number | undefined {
    return this.waiting[this.head]?.lease.takenAtMs;
  }

  /** A lane that takes turns gave so many jobs; one that gave all it was asked for may have as many again. */
  observeLane(jobs: number, asked: number): void {
    const given = jobs >= asked ? 2 * asked : jobs;
    this.perLane = this.perLane === undefined ? given : this.perLane + (given - this.perLane) * 0.05;
  }

  observe(durationMs: number): void {
    // A single slow attempt must end the prefetch at once; many fast ones bring it back.
    if (this.meanMs === undefined || durationMs > 4 * this.meanMs + 1) this.meanMs = durationMs;
    else this.meanMs += (durationMs - this.meanMs) * 0.05;
  }
}

function labelsOf({ retention }: Queue): QueueRuntime['labels'] {
  return {
    succeeded: finalLabel('succeeded', retention.succeededMs),
    cancelled: finalLabel('cancelled', retention.cancelledMs),
  };
}
