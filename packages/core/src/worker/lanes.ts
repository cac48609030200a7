/**
 * What a worker knows of lanes: which exist, which it may serve, and which are believed to hold jobs. The order
 * book's index is the directory of lanes with jobs; this is a memory of what it said last.
 */

import { pinAllows } from '../domain/build.ts';
import type { Queue } from '../domain/queue.ts';
import { queueMatchesWorker, requirementsMet } from '../domain/tags.ts';
import type { Tally } from './metrics.ts';

export interface Lane {
  readonly id: number;
  readonly queueId: number;
  readonly kind: string;
  readonly requirements: readonly string[];
  readonly pin: 'none' | 'min' | 'exact';
  readonly build: string;
  /** Where its jobs are counted; set by the first. */
  tally?: Tally;
}

/** What a worker is, as far as it decides which jobs it may run. */
export interface Eligibility {
  readonly tags: readonly string[];
  readonly build: string;
  readonly kinds: ReadonlySet<string>;
  /** Names or slugs of queues; undefined: all whose tags match. */
  readonly queues: ReadonlySet<string> | undefined;
  /** Projects by id; undefined: all. */
  readonly projectIds: ReadonlySet<number> | undefined;
}

/** Whether a worker serves a queue: by name or slug if it names queues, otherwise by tags; then by project. */
export function servesQueue(queue: Queue, worker: Eligibility): boolean {
  if (worker.projectIds !== undefined && !worker.projectIds.has(queue.projectId)) return false;
  if (worker.queues !== undefined && !worker.queues.has(queue.name) && !worker.queues.has(queue.slug))
    return false;
  return queueMatchesWorker(queue.tags, worker.tags);
}

/** Whether a worker may run the jobs of a lane of a queue that it serves. */
export function servesLane(lane: Lane, worker: Eligibility): boolean {
  return (
    worker.kinds.has(lane.kind) &&
    requirementsMet(lane.requirements, worker.tags) &&
    pinAllows(lane.pin, lane.build, worker.build)
  );
}

const none: ReadonlyMap<number, number> = new Map();

export class LaneDirectory {
  private readonly worker: Eligibility;
  private readonly lanes = new Map<number, Lane>();
  private queues = new Map<number, Queue>();
  private readonly served = new Map<number, Lane[]>();
  /** Per queue the lanes that are believed to hold jobs, with the priority of their first job at the last look. */
  private readonly active = new Map<number, Map<number, number>>();
  /** The highest lane number that was loaded. */
  highest = 0;
  /** Kinds that jobs wait for and this worker does not know, of queues that it serves. */
  readonly unknownKinds = new Set<string>();

  constructor(worker: Eligibility) {
    this.worker = worker;
  }

  /** Takes the settings of all queues; those that the worker does not serve, or that are paused, are left out. */
  setQueues(queues: readonly Queue[]): void {
    this.queues = new Map(
      queues.filter((queue) => servesQueue(queue, this.worker)).map((queue) => [queue.id, queue]),
    );
    this.served.clear();
    for (const lane of this.lanes.values()) this.serve(lane);
    for (const queueId of this.active.keys()) if (!this.queues.has(queueId)) this.active.delete(queueId);
  }

  addLanes(lanes: readonly Lane[]): void {
    for (const lane of lanes) {
      this.lanes.set(lane.id, lane);
      this.highest = Math.max(this.highest, lane.id);
      this.serve(lane);
    }
  }

  lane(id: number): Lane | undefined {
    return this.lanes.get(id);
  }

  queue(id: number): Queue | undefined {
    return this.queues.get(id);
  }

  servedQueues(): IterableIterator<Queue> {
    return this.queues.values();
  }

  /** Lanes of a queue that this worker may serve, whether they hold jobs or not. */
  lanesOf(queueId: number): readonly Lane[] {
    return this.served.get(queueId) ?? [];
  }

  /**
   * Says that lanes hold jobs, and of which priority their first is where it is known. Unknown lanes are reported
   * back, so that they can be loaded.
   */
  markActive(laneIds: readonly number[], priorities?: readonly number[]): { unknown: boolean } {
    let unknown = false;
    for (const [place, id] of laneIds.entries()) {
      const lane = this.lanes.get(id);
      if (lane === undefined) {
        unknown = true;
        continue;
      }
      if (!this.queues.has(lane.queueId)) continue;
      if (servesLane(lane, this.worker)) this.activate(lane, priorities?.[place]);
      else if (!this.worker.kinds.has(lane.kind) && this.unknownKinds.size < 1_000)
        this.unknownKinds.add(lane.kind);
    }
    return { unknown };
  }

  markEmpty(laneId: number): void {
    const lane = this.lanes.get(laneId);
    if (lane !== undefined) this.active.get(lane.queueId)?.delete(laneId);
  }

  /** Lanes of a queue that are believed to hold jobs. */
  activeOf(queueId: number): ReadonlyMap<number, number> {
    return this.active.get(queueId) ?? none;
  }

  /**
   * Up to `most` active lanes of a queue in the order in which they are to be asked: those with the highest priority
   * at their head first, and of these the ones that were not asked for the longest time.
   */
  inTurn(queueId: number, most: number): number[] {
    const lanes = this.active.get(queueId);
    if (lanes === undefined) return [];
    let best = Number.NEGATIVE_INFINITY;
    for (const priority of lanes.values()) best = Math.max(best, priority);
    const first: number[] = [];
    const others: number[] = [];
    for (const [lane, priority] of lanes) {
      if (priority === best) first.push(lane);
      else if (others.length < most) others.push(lane);
      if (first.length >= most) return first;
    }
    return [...first, ...others.slice(0, most - first.length)];
  }

  /** A lane was asked: it goes behind the others of its queue and priority. */
  markAsked(laneId: number): void {
    const lane = this.lanes.get(laneId);
    const lanes = lane === undefined ? undefined : this.active.get(lane.queueId);
    const priority = lanes?.get(laneId);
    if (lanes === undefined || priority === undefined) return;
    lanes.delete(laneId);
    lanes.set(laneId, priority);
  }

  private activate(lane: Lane, priority: number | undefined): void {
    let lanes = this.active.get(lane.queueId);
    if (lanes === undefined) {
      lanes = new Map();
      this.active.set(lane.queueId, lanes);
    }
    lanes.set(lane.id, priority ?? lanes.get(lane.id) ?? 0);
  }

  private serve(lane: Lane): void {
    if (!this.queues.has(lane.queueId) || !servesLane(lane, this.worker)) return;
    const lanes = this.served.get(lane.queueId);
    if (lanes === undefined) this.served.set(lane.queueId, [lane]);
    else if (!lanes.includes(lane)) lanes.push(lane);
  }
}
