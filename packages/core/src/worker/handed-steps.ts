/**
 * Steps that follow on those which this worker has done: they are its own as soon as they are written (`hand_steps`), without a
 * message and a claim. So runs go on where they are at hand, one after the other to their ends, while as many as there is room for
 * are under way; the database sees to it that none is taken before one of a higher priority.
 */

import type { HandedLease, HandedStep, StepTaker } from '../workflow/step-runs.ts';
import { HeldJob, Lease } from './held-job.ts';
import type { Lane, LaneDirectory } from './lanes.ts';
import { plainLane } from './plain-lane.ts';
import type { QueueRuntime } from './queue-runtime.ts';

export interface HandedStepsHost {
  readonly directory: LaneDirectory;
  workerRow(): string;
  runtimes(): Iterable<QueueRuntime>;
  /** Whether jobs under limits are believed to wait: they are claimed apart. */
  keyedWait(): boolean;
  /** Claimed jobs of all queues. */
  held(): number;
  /** Attempts of all queues that run now. */
  running(): number;
  slots(): number;
  /** The claim whose answer has not come yet. */
  underWay(): Promise<unknown> | undefined;
  monotonic(): number;
  onClaimed(lease: Lease, jobs: readonly HeldJob[]): void;
  startJobs(): void;
  /** Gives back what has not started. */
  giveBack(): void;
}

/** A step is handed on where it is expected to wait no longer than this for a slot. */
const waitMs = 20;
/** While others wait, a run that is not done after so long goes to the end of the queue with its next step. */
const turnMs = 1_000;
/** What the database has refused (others go first, or a limit holds for the kind) is not offered again for so long. */
const refusedMs = 1_000;
/** With more lanes that hold jobs, the ordinary way. */
const beforeMax = 8;

export class HandedSteps implements StepTaker {
  private readonly host: HandedStepsHost;
  /** Places that are offered, and neither taken nor left. */
  private open = 0;
  private closed = false;
  /** What it served last: steps that come when the queue was left meanwhile go back from there. */
  private runtime: QueueRuntime | undefined;
  /** By kind, as long as the settings of the queue are these. */
  private lanes = new Map<string, Lane>();
  private lanesOf: unknown;
  /** By lane; times of the monotonic clock. */
  private readonly refusedUntil = new Map<number, number>();

  constructor(host: HandedStepsHost) {
    this.host = host;
  }

  get worker(): string {
    return this.host.workerRow();
  }

  get before(): readonly number[] {
    const { runtime } = this;
    return runtime === undefined ? [] : this.waitingLanes(runtime);
  }

  offer(kind: string, sinceMs: number, instead: boolean): number | undefined {
    if (this.closed) return undefined;
    const runtime = this.servedRuntime();
    const lane = runtime === undefined ? undefined : this.laneOf(runtime, kind);
    if (runtime === undefined || lane === undefined || !this.hasRoom(runtime, instead)) return undefined;
    const now = this.host.monotonic();
    if ((this.refusedUntil.get(lane.id) ?? now) > now) return undefined;
    const waiting = this.waitingLanes(runtime).length;
    const others = waiting > 0 || this.othersWait(runtime);
    if (waiting > beforeMax || (others && now - sinceMs > turnMs)) return undefined;
    this.open += 1;
    return lane.id;
  }

  take({ worker, lease, createdMs }: HandedLease, steps: readonly HandedStep[]): void {
    const { host, runtime } = this;
    this.leave(steps.length);
    // Taken for dead meanwhile: others will be given them.
    if (worker !== host.workerRow()) return;
    const held = new Lease(lease, host.monotonic());
    const jobs = steps.flatMap(({ stepId, runId, input, lane: laneId, payload, rest, sinceMs }) => {
      const lane = host.directory.lane(laneId);
      if (lane === undefined || runtime === undefined) return [];
      const job = new HeldJob([lease, stepId, String(laneId), createdMs, payload, rest], held, lane, runtime);
      job.sinceMs = sinceMs;
      job.runId = runId;
      job.payload = input;
      return job;
    });
    host.onClaimed(held, jobs);
    if (this.closed) host.giveBack();
    else host.startJobs();
  }

  refused(lanes: readonly number[]): void {
    const untilMs = this.host.monotonic() + refusedMs;
    for (const lane of lanes) this.refusedUntil.set(lane, untilMs);
    this.leave(lanes.length);
  }

  leave(places: number): void {
    this.open -= places;
  }

  /** Offers no more; what is on its way goes back when it comes. */
  close(): void {
    this.closed = true;
  }

  private servedRuntime(): QueueRuntime | undefined {
    for (const runtime of this.host.runtimes()) {
      if (!isOfSteps(runtime)) continue;
      this.runtime = runtime;
      return runtime.queue.state === 'active' ? runtime : undefined;
    }
    return undefined;
  }

  /** Those that are believed to hold jobs. */
  private waitingLanes({ queue }: QueueRuntime): number[] {
    const { directory } = this.host;
    return [...directory.activeOf(queue.id).keys(), ...(directory.apartOf(queue.id)?.keys() ?? [])];
  }

  private laneOf(runtime: QueueRuntime, kind: string): Lane | undefined {
    const { directory } = this.host;
    if (this.lanesOf !== runtime.queue) this.lanes.clear();
    this.lanesOf = runtime.queue;
    const lane = this.lanes.get(kind) ?? plainLane(directory, runtime.queue.id, kind);
    if (lane === undefined || directory.isHeld(kind) || directory.queue(runtime.queue.id) === undefined)
      return undefined;
    this.lanes.set(kind, lane);
    return lane;
  }

  /** Jobs that would not be claimed while many steps are held ahead. */
  private othersWait({ queue: { id } }: QueueRuntime): boolean {
    const { directory } = this.host;
    if (this.host.keyedWait()) return true;
    for (const { queue } of this.host.runtimes())
      if (
        queue.id !== id &&
        queue.state !== 'paused' &&
        (directory.activeOf(queue.id).size > 0 || directory.apartOf(queue.id) !== undefined)
      )
        return true;
    return false;
  }

  /**
   * What comes instead of another one finds its place, as long as so many may wait in memory and nothing else waits for the slots;
   * otherwise a slot must be free.
   */
  private hasRoom(runtime: QueueRuntime, instead: boolean): boolean {
    const { host, open } = this;
    const { held, meanMs = Number.POSITIVE_INFINITY, aheadMost = 0 } = runtime;
    const atOnce = Math.min(runtime.queue.concurrency, host.slots());
    const ahead = instead ? Math.min(Math.floor((atOnce * waitMs) / Math.max(meanMs, 0.001)), aheadMost) : 0;
    // Behind jobs of other queues, which have all slots, it would wait for them.
    const goesOn = host.running() - runtime.running < host.slots();
    if (ahead > 0 && goesOn && !this.othersWait(runtime)) return held + open < atOnce + ahead;
    return host.underWay() === undefined && held + open < atOnce && host.held() + open < host.slots();
  }
}

function isOfSteps({ queue }: QueueRuntime): boolean {
  return queue.steps && queue.name === 'workflow' && queue.project === 'default';
}
