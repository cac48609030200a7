/**
 * Decides what to ask for in the next claim. Pure: what the worker has, what its queues allow and how long their
 * jobs take go in; how many jobs of which lanes comes out.
 */

/** What is known of a queue when a claim is planned. */
export interface QueueLoad {
  readonly queueId: number;
  /** Attempts of this queue that may run at once on this worker. */
  readonly concurrency: number;
  /** Claimed jobs that run or wait in memory. */
  readonly held: number;
  /** Places in memory that are kept for steps which follow on others. Default 0. */
  readonly kept?: number;
  /** At most so many jobs beyond its free slots. Default 2,000. */
  readonly aheadMost?: number | undefined;
  /** Mean duration of its recent attempts in ms; undefined before the first has ended. */
  readonly meanMs: number | undefined;
  /** Mean number of jobs that one lane gave lately, where lanes take turns; undefined before the first was asked. */
  readonly perLane: number | undefined;
  /** Lanes that are believed to hold jobs, in the order in which they are to be asked; `claimMaxLanes` are enough. */
  readonly lanes: readonly number[];
  readonly priority: number;
  /** How often it comes first among queues of its priority, against theirs. Default 1. */
  readonly weight?: number;
}

export interface WorkerLoad {
  readonly slots: number;
  readonly held: number;
  /** Smoothed time from asking for jobs to having them, in ms. */
  readonly claimMs: number;
}

/**
 * One lane of a claim. Lanes of one group are merged in exact order, up to the limit of the group; a lane that is
 * alone in its group gives what it has, up to `take`.
 */
export interface Ask {
  readonly lane: number;
  readonly take: number;
  readonly group: number;
  readonly limit: number;
}

/**
 * The order between jobs is exact across so many lanes of a queue. A queue with more has its lanes take turns, those
 * with the highest priority at their head first: reading the heads of thousands of lanes for each claim would cost
 * more than the jobs.
 */
export const mergedLanesMax = 8;
/** Of a queue whose lanes take turns, so many are asked in one claim while it is not known how much they give. */
const turnLanes = 4;
/** A claim takes at most so many jobs, and asks at most so many lanes. */
export const claimMaxJobs = 1_000;
export const claimMaxLanes = 256;
const goldenRatio = (Math.sqrt(5) - 1) / 2;
/** A worker holds at most so many claimed jobs in memory. */
export const heldMax = 3_000;

/**
 * How many jobs beyond its free slots a queue may hold: as many as its slots finish while a claim is on its way,
 * twice over so that the next claim overlaps with the work. Zero as soon as an attempt outlasts a claim.
 */
export function prefetch(
  queue: Pick<QueueLoad, 'concurrency' | 'meanMs' | 'aheadMost'>,
  claimMs: number,
): number {
  if (queue.meanMs === undefined || queue.meanMs > claimMs) return 0;
  const perClaim = (queue.concurrency * claimMs) / Math.max(queue.meanMs, 0.001);
  return Math.min(Math.floor(2 * perClaim), queue.aheadMost ?? 2 * claimMaxJobs);
}

/**
 * The asks of the next claim; empty when there is nothing to ask for or no room.
 *
 * @param turn how many queues were asked before; queues of the same priority take turns, by weight
 */
export function planClaim(queues: readonly QueueLoad[], worker: WorkerLoad, turn = 0): Ask[] {
  const wishes = queues
    .filter((queue) => queue.lanes.length > 0)
    .map((queue) => ({ queue, room: roomOf(queue, worker) }))
    .filter((wish) => wish.room > 0);
  if (wishes.length === 0) return [];
  const inTurn = turnsByWeight(wishes, turn).sort((a, b) => b.queue.priority - a.queue.priority);
  let weights = inTurn.reduce((sum, { queue }) => sum + (queue.weight ?? 1), 0);
  const ahead = wishes.some((wish) => wish.room > wish.queue.concurrency - wish.queue.held);
  let budget = Math.min(claimMaxJobs, (ahead ? Math.max(heldMax, worker.slots) : worker.slots) - worker.held);
  const asks: Ask[] = [];
  for (const { queue, room } of inTurn) {
    const lanesLeft = claimMaxLanes - asks.length;
    if (budget <= 0 || lanesLeft <= 0) break;
    // A share by weight, but not less than is worth a look: the queues that are left out have the next turn.
    const weight = queue.weight ?? 1;
    const share = Math.max(
      Math.ceil((budget * weight) / Math.max(weights, weight)),
      Math.min(4 * queue.concurrency, budget),
    );
    weights -= weight;
    const limit = Math.min(room, share);
    for (const ask of askQueue(queue, limit, lanesLeft)) asks.push(ask);
    budget -= limit;
  }
  return asks;
}

/**
 * Queues of equal weight come first one after the other. Of others each comes first as often as its weight says, spread
 * evenly: the multiples of the golden ratio (Weyl, 1916) fall into each part of an interval as often as it is long.
 */
function turnsByWeight<Wish extends { readonly queue: QueueLoad }>(
  wishes: readonly Wish[],
  turn: number,
): Wish[] {
  const weightOf = ({ queue }: Wish): number => queue.weight ?? 1;
  const [one] = wishes;
  let first = turn % wishes.length;
  if (one !== undefined && wishes.some((wish) => weightOf(wish) !== weightOf(one))) {
    let left = ((turn * goldenRatio) % 1) * wishes.reduce((sum, wish) => sum + weightOf(wish), 0);
    first = wishes.findIndex((wish) => {
      left -= weightOf(wish);
      return left < 0;
    });
    first = Math.max(first, 0);
  }
  return [...wishes.slice(first), ...wishes.slice(0, first)];
}

function askQueue({ queueId, lanes, perLane }: QueueLoad, limit: number, lanesLeft: number): Ask[] {
  if (lanes.length > mergedLanesMax) {
    // As many as are expected to fill the claim: a claim of many lanes with few jobs costs what one of few lanes with
    // many costs, where many small claims would each pay for a lease and a commit.
    const asked = lanes.slice(
      0,
      Math.min(Math.max(turnLanes, Math.ceil(limit / Math.max(perLane ?? limit, 1))), lanesLeft),
    );
    // A little more than an even share: a lane that gives less is empty, and need not be asked again to know it.
    const take = Math.ceil(limit / Math.max(asked.length - 1, 1));
    return asked.map((lane) => ({ lane, take, group: -lane, limit: take }));
  }
  const asked = lanes.slice(0, lanesLeft);
  const take = takePerLane(limit, asked.length);
  return asked.map((lane) => ({ lane, take, group: queueId, limit }));
}

/**
 * Rows to read of each lane when several are merged: more than an even share, so that the merge rarely stops short,
 * and never so many that the unread ones weigh.
 */
function takePerLane(limit: number, lanes: number): number {
  if (lanes === 1) return limit;
  return Math.max(Math.ceil((2 * limit) / lanes), Math.min(limit, 8));
}

function roomOf(queue: QueueLoad, worker: WorkerLoad): number {
  const free = queue.concurrency - queue.held;
  const ahead = prefetch(queue, worker.claimMs);
  // Where attempts outlast claims, a free slot must not wait for what follows on the step that it had.
  const kept = ahead > 0 ? (queue.kept ?? 0) : 0;
  // A claim for a few jobs costs nearly as much as one for many: wait until half of what may be ahead is used up.
  if (free - kept <= 0 && kept - free > ahead / 2) return 0;
  return free + ahead - kept;
}

/**
 * The lanes that a claim has left empty: those that gave less than they were asked for, where their group was not cut
 * short.
 *
 * @param perLane how many jobs each gave
 */
export function emptied(asks: readonly Ask[], perLane: ReadonlyMap<number, number>): number[] {
  const groups = new Map<number, { total: number; full: boolean; limit: number }>();
  for (const ask of asks) {
    const count = perLane.get(ask.lane) ?? 0;
    const group = groups.get(ask.group) ?? { total: 0, full: false, limit: ask.limit };
    group.total += count;
    group.full ||= count >= ask.take;
    groups.set(ask.group, group);
  }
  return asks.flatMap(({ lane, group: of }) => {
    const group = groups.get(of);
    return group === undefined || group.full || group.total >= group.limit ? [] : [lane];
  });
}
