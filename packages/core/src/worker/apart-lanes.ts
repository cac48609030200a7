/**
 * The lanes that a worker asks apart from the others: those whose jobs need amounts, which it packs into what it
 * offers, and those whose jobs prefer other workers, which it leaves to them for a while. Costs nothing where there
 * are none. Knows what is held: a job holds its amounts from the claim until its attempt has ended.
 */

import { type Amounts, takeAmounts, timesFitting } from '../domain/amounts.ts';
import type { HeldJob } from './held-job.ts';
import type { ApartLane, LaneDirectory } from './lanes.ts';
import { type PackedLane, packAmounts } from './pack-amounts.ts';
import { type Ask, claimMaxJobs, prefetch, type QueueLoad, type WorkerLoad } from './plan-claim.ts';

/** Groups of a claim have the numbers of queues, or below 0 those of lanes; these are apart from both. */
const groupBase = -1_000_000_000;

export interface ApartPlan {
  /** What the worker asks like any other lane. */
  readonly asks: readonly Ask[];
  /** What it asks only for the jobs that were left to others for long enough. */
  readonly left: readonly { readonly lane: number; readonly take: number }[];
  /** The other lanes as they are to be planned: without the queues whose turn it is not. */
  readonly loads: readonly QueueLoad[];
}

export class ApartLanes {
  private readonly directory: LaneDirectory;
  private readonly reserveAfterMs: number;
  private free: Amounts;
  /** Held jobs that need amounts, per queue. */
  private readonly held = new Map<number, number>();
  /** Counts plans, so that lanes that need amounts and those that need none take turns. */
  private turn = 0;

  constructor(options: { directory: LaneDirectory; offers: Amounts; reserveAfterMs: number }) {
    this.directory = options.directory;
    this.free = options.offers;
    this.reserveAfterMs = options.reserveAfterMs;
  }

  /** What is not held. */
  get freeAmounts(): Amounts {
    return this.free;
  }

  /**
   * What to ask of them, and what is left for the others. Of a queue that has both, either the one or the other is
   * asked: what has the higher priority at its head, or else they take turns.
   *
   * @param loads of all queues that have lanes with jobs, of either sort
   */
  plan(loads: readonly QueueLoad[], worker: WorkerLoad, nowMs: number): ApartPlan {
    this.turn += 1;
    const rooms = new Map<number, number>();
    // Queues of which nothing waits hold slots too.
    let occupied = worker.held;
    for (const load of loads) {
      const taken = this.occupiedBy(load, worker);
      occupied -= load.held - taken;
      rooms.set(load.queueId, load.concurrency - taken);
    }
    const lanes: PackedLane[] = [];
    for (const load of loads) {
      for (const lane of this.turnOf(load)) {
        if (lane.askAtMs <= nowMs) lanes.push(packedLane(lane, load.priority));
      }
    }
    const slots = Math.min(worker.slots - occupied, claimMaxJobs);
    const { takes, passedOver } = packAmounts(
      lanes,
      { free: this.free, slots, queues: rooms },
      nowMs,
      this.reserveAfterMs,
    );
    for (const id of passedOver) {
      const lane = this.directory.apartLane(id);
      if (lane !== undefined) lane.passedOverSinceMs ??= nowMs;
    }
    const asks: Ask[] = [];
    const left: { lane: number; take: number }[] = [];
    for (const [place, { lane, take }] of takes.entries()) {
      if (this.directory.apartLane(lane)?.left === true) left.push({ lane, take });
      else asks.push({ lane, take, group: groupBase - place, limit: take });
    }
    const asked = new Set(takes.map(({ queueId }) => queueId));
    return { asks, left, loads: loads.filter(({ queueId }) => !asked.has(queueId)) };
  }

  /** A claimed job holds what it needs until it has ended here. */
  hold(job: HeldJob, needs: Amounts): void {
    const queueId = job.lane.queueId;
    this.free = takeAmounts(this.free, needs);
    this.held.set(queueId, (this.held.get(queueId) ?? 0) + 1);
    job.onEnded = () => {
      this.free = takeAmounts(this.free, needs, -1);
      this.held.set(queueId, (this.held.get(queueId) ?? 1) - 1);
    };
  }

  /** A lane gave jobs. */
  served(laneId: number, nowMs: number): void {
    const lane = this.directory.apartLane(laneId);
    if (lane === undefined) return;
    lane.servedAtMs = nowMs;
    lane.passedOverSinceMs = undefined;
  }

  /** Whether a lane is believed to hold jobs that this worker might be given now. */
  mayAsk(nowMs: number): boolean {
    if (!this.directory.hasApart) return false;
    for (const queue of this.directory.servedQueues()) {
      if (queue.state === 'paused') continue;
      for (const lane of this.directory.apartOf(queue.id)?.values() ?? [])
        if (lane.askAtMs <= nowMs && timesFitting(lane.needs, this.free) >= 1) return true;
    }
    return false;
  }

  /** How long until a lane that is left to others is to be asked; infinite if there is none. */
  waitMs(nowMs: number): number {
    let waitMs = Number.POSITIVE_INFINITY;
    if (!this.directory.hasApart) return waitMs;
    for (const queue of this.directory.servedQueues()) {
      for (const lane of this.directory.apartOf(queue.id)?.values() ?? [])
        if (lane.left && lane.askAtMs > nowMs) waitMs = Math.min(waitMs, lane.askAtMs - nowMs);
    }
    return waitMs;
  }

  /**
   * Slots that are taken for longer than a claim takes: all that a queue holds, but where its attempts are so short
   * that it is claimed ahead, only those that hold amounts. What is claimed here starts soon, and never lies in memory
   * behind slow jobs with amounts that others could use.
   */
  private occupiedBy(load: QueueLoad, worker: WorkerLoad): number {
    return prefetch(load, worker.claimMs) > 0 ? (this.held.get(load.queueId) ?? 0) : load.held;
  }

  private turnOf(load: QueueLoad): Iterable<ApartLane> {
    const lanes = this.directory.apartOf(load.queueId);
    if (lanes === undefined) return [];
    if (load.lanes.length === 0) return lanes.values();
    const best = highest([...lanes.values()].map(({ priority }) => priority));
    const others = highest(this.directory.activeOf(load.queueId).values());
    return others > best || (others === best && this.turn % 2 === 1) ? [] : lanes.values();
  }
}

function highest(priorities: Iterable<number>): number {
  let best = Number.NEGATIVE_INFINITY;
  for (const priority of priorities) best = Math.max(best, priority);
  return best;
}

function packedLane({ lane, needs, priority, ...times }: ApartLane, queuePriority: number): PackedLane {
  return {
    lane: lane.id,
    queueId: lane.queueId,
    queuePriority,
    priority,
    needs,
    servedAtMs: times.servedAtMs,
    passedOverSinceMs: times.passedOverSinceMs,
  };
}
