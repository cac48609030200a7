/**
 * Decides which lanes whose jobs need amounts are asked in the next claim, and for how many jobs each. Pure.
 *
 * The rule: queues and lanes of higher priority first; lanes of one priority share what is free, the one that was
 * served longest ago first. A lane that does not fit is passed over, so that smaller jobs go on. One that has been
 * passed over for `reserveAfterMs` comes first among those of its priority, and while it does not fit, those behind it
 * get of the amounts that it needs only what it leaves: what is freed adds up until it fits. One lane of a priority at
 * a time, the one that was passed over for the longest time; so two big ones never keep room from each other.
 */

import { type Amounts, takeAmounts, timesFitting } from '../domain/amounts.ts';

/** A lane that is believed to hold jobs and is asked apart from those that need nothing. */
export interface PackedLane {
  readonly lane: number;
  readonly queueId: number;
  readonly queuePriority: number;
  /** Of its first job, at the last look. */
  readonly priority: number;
  readonly needs: Amounts;
  /** When it gave jobs last. */
  readonly servedAtMs: number;
  /** Since when it has not fitted; undefined while it does. */
  readonly passedOverSinceMs: number | undefined;
}

export interface Room {
  readonly free: Amounts;
  /** Jobs that the worker has room for. */
  readonly slots: number;
  /** Jobs that each queue has room for. */
  readonly queues: ReadonlyMap<number, number>;
}

export interface Packing {
  readonly takes: readonly { readonly lane: number; readonly queueId: number; readonly take: number }[];
  /** Lanes for which there was a slot, but not what they need. */
  readonly passedOver: readonly number[];
  /** The first lane for which amounts are kept. */
  readonly reservedFor: number | undefined;
}

/** How many lanes one claim asks apart. */
export const packedLanesMax = 32;

/** @param now and the times of the lanes, in ms of one clock */
export function packAmounts(
  lanes: readonly PackedLane[],
  room: Room,
  now: number,
  reserveAfterMs: number,
): Packing {
  const starved = longestPassedOver(lanes, now - reserveAfterMs);
  const inOrder = [...lanes].sort(
    (a, b) =>
      b.queuePriority - a.queuePriority ||
      b.priority - a.priority ||
      Number(starved.has(b)) - Number(starved.has(a)) ||
      a.servedAtMs - b.servedAtMs ||
      a.lane - b.lane,
  );
  const queues = new Map(room.queues);
  const takes: { lane: number; queueId: number; take: number }[] = [];
  const passedOver: number[] = [];
  let { free, slots } = room;
  let reservedFor: number | undefined;
  for (const [place, lane] of inOrder.entries()) {
    const slotsLeft = Math.min(slots, queues.get(lane.queueId) ?? 0);
    if (slotsLeft < 1 || takes.length >= packedLanesMax) continue;
    const fitting = timesFitting(lane.needs, free);
    if (fitting < 1) {
      passedOver.push(lane.lane);
      if (!starved.has(lane)) continue;
      reservedFor ??= lane.lane;
      free = takeAmounts(free, lane.needs);
      continue;
    }
    const alike = inOrder.slice(place).filter((other) => sameRank(lane, other));
    const rivals = alike.filter((other) => other === lane || compete(lane, other));
    const take = Math.min(Math.ceil(fitting / rivals.length), Math.ceil(slotsLeft / alike.length));
    takes.push({ lane: lane.lane, queueId: lane.queueId, take });
    free = takeAmounts(free, lane.needs, take);
    slots -= take;
    queues.set(lane.queueId, (queues.get(lane.queueId) ?? 0) - take);
  }
  return { takes, passedOver, reservedFor };
}

/** Of each priority the lane that was passed over for the longest time, if that is long enough. */
function longestPassedOver(lanes: readonly PackedLane[], beforeMs: number): ReadonlySet<PackedLane> {
  const found = new Map<string, PackedLane>();
  for (const lane of lanes) {
    const since = lane.passedOverSinceMs ?? Number.POSITIVE_INFINITY;
    const rank = `${lane.queuePriority} ${lane.priority}`;
    if (since <= beforeMs && since < (found.get(rank)?.passedOverSinceMs ?? Number.POSITIVE_INFINITY))
      found.set(rank, lane);
  }
  return new Set(found.values());
}

function sameRank(one: PackedLane, other: PackedLane): boolean {
  return one.queuePriority === other.queuePriority && one.priority === other.priority;
}

/** Whether both need some of the same. */
function compete(one: PackedLane, other: PackedLane): boolean {
  return Object.keys(one.needs).some((name) => Object.hasOwn(other.needs, name));
}
