/**
 * What a worker knows of lanes: which exist, which it may serve, and which are believed to hold jobs. The order
 * book's index is the directory of lanes with jobs; this is a memory of what it said last.
 */

import { type Amounts, offersEnough } from '../domain/amounts.ts';
import { pinAllows } from '../domain/build.ts';
import type { Queue } from '../domain/queue.ts';
import { queueMatchesWorker, requirementsMet } from '../domain/tags.ts';
import type { LaneWants } from '../domain/wants.ts';
import type { Tally } from './metrics.ts';

export interface Lane {
  readonly id: number;
  readonly queueId: number;
  readonly kind: string;
  readonly requirements: readonly string[];
  readonly pin: 'none' | 'min' | 'exact';
  readonly build: string;
  /** The amounts that its jobs need, and the workers that they prefer. */
  readonly wants: LaneWants;
  /** Where its jobs are counted; set by the first. */
  tally?: Tally;
}

/**
 * The amount that stands for the concurrency of a kind on this worker, of which each of its jobs needs one. No caller can name it:
 * amounts have no blanks in their names.
 */
export function kindAmount(kind: string): string {
  return `kind ${kind}`;
}

/** What a worker is, as far as it decides which jobs it may run. */
export interface Eligibility {
  readonly tags: readonly string[];
  readonly build: string;
  /** Named amounts that its jobs may need. */
  readonly offers: Amounts;
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

/**
 * Whether a worker may run the jobs of a lane of a queue that it serves.
 *
 * @param needs of one of its jobs: those of the lane, or else of its queue
 */
export function servesLane(
  lane: Lane,
  worker: Eligibility,
  needs: Amounts = lane.wants.needs ?? {},
): boolean {
  return (
    worker.kinds.has(lane.kind) &&
    requirementsMet(lane.requirements, worker.tags) &&
    pinAllows(lane.pin, lane.build, worker.build) &&
    offersEnough(worker.offers, needs)
  );
}

/** A lane with jobs that is asked apart from the others: its jobs need amounts, or prefer other workers. */
export interface ApartLane {
  readonly lane: Lane;
  readonly needs: Amounts;
  /** Its jobs prefer workers with tags that this one has not. */
  readonly left: boolean;
  /** Of its first job, at the last look. */
  priority: number;
  /** When it gave jobs last. */
  servedAtMs: number;
  /** Since when its needs have not fitted. */
  passedOverSinceMs: number | undefined;
  /** Not to be asked before: what it has is left to the workers that it prefers. */
  askAtMs: number;
}

const none: ReadonlyMap<number, number> = new Map();
const nothing: Amounts = {};

export class LaneDirectory {
  readonly worker: Eligibility;
  private readonly lanes = new Map<number, Lane>();
  private queues = new Map<number, Queue>();
  private readonly served = new Map<number, Lane[]>();
  /** Per queue the lanes that are believed to hold jobs, with the priority of their first job at the last look. */
  private readonly active = new Map<number, Map<number, number>>();
  /** Of the lanes that are believed to hold jobs those that are asked apart; per queue. */
  private readonly apart = new Map<number, Map<number, ApartLane>>();
  /** Kinds whose lanes are not asked, and which of these lanes are believed to hold jobs. */
  private readonly heldKinds = new Map<string, Set<number>>();
  /** The highest lane number that was loaded. */
  highest = 0;
  /** Whether limits are declared, and whether some of them are rates, which time alone makes room in. */
  limits: { readonly any: boolean; readonly rated: boolean } = { any: false, rated: false };
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
    // What a queue's jobs need by default may have changed.
    for (const lanes of [...this.apart.values()]) {
      for (const { lane, priority } of [...lanes.values()]) {
        this.markEmpty(lane.id);
        if (this.queues.has(lane.queueId) && this.serves(lane)) this.activate(lane, priority);
      }
    }
    for (const lanes of [...this.active.values()]) {
      for (const [id, priority] of [...lanes]) {
        const lane = this.lanes.get(id);
        if (lane === undefined || !this.isApart(lane)) continue;
        lanes.delete(id);
        if (this.serves(lane)) this.activate(lane, priority);
      }
    }
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
      const queue = this.queues.get(lane.queueId);
      if (queue === undefined) continue;
      if (this.serves(lane)) this.activate(lane, priorities?.[place]);
      // Steps of runs may be meant for workers that poll over HTTP: nothing is amiss.
      else if (!queue.steps && !this.worker.kinds.has(lane.kind) && this.unknownKinds.size < 1_000)
        this.unknownKinds.add(lane.kind);
    }
    return { unknown };
  }

  markEmpty(laneId: number): void {
    const lane = this.lanes.get(laneId);
    if (lane === undefined) return;
    this.active.get(lane.queueId)?.delete(laneId);
    const apart = this.apart.get(lane.queueId);
    if (apart?.delete(laneId) && apart.size === 0) this.apart.delete(lane.queueId);
    this.heldKinds.get(lane.kind)?.delete(laneId);
  }

  /** The lanes of a kind are not asked until it is released; jobs in them are kept in mind. */
  hold(kind: string): void {
    if (this.heldKinds.has(kind)) return;
    const known = [...this.active.values(), ...this.apart.values()].flatMap((lanes) => [...lanes.keys()]);
    const held = known.filter((id) => this.lanes.get(id)?.kind === kind);
    for (const id of held) this.markEmpty(id);
    this.heldKinds.set(kind, new Set(held));
  }

  release(kind: string): void {
    const held = this.heldKinds.get(kind);
    this.heldKinds.delete(kind);
    this.markActive([...(held ?? [])]);
  }

  /** Whether the lanes of a kind are not asked at present. */
  isHeld(kind: string): boolean {
    return this.heldKinds.size > 0 && this.heldKinds.has(kind);
  }

  /** The lanes of a held kind that are believed to hold jobs. */
  heldLanes(kind: string): Lane[] {
    return [...(this.heldKinds.get(kind) ?? [])].flatMap((id) => {
      const lane = this.lanes.get(id);
      return lane !== undefined && this.queues.has(lane.queueId) && this.serves(lane) ? [lane] : [];
    });
  }

  /** What one job of a lane needs: as it said, or else as its queue says; and its place among those of its kind. */
  needsOf(lane: Lane): Amounts {
    const needs = lane.wants.needs ?? this.queues.get(lane.queueId)?.needs ?? nothing;
    const ofKind = kindAmount(lane.kind);
    return Object.hasOwn(this.worker.offers, ofKind) ? { ...needs, [ofKind]: 1 } : needs;
  }

  /** Whether any lane that is believed to hold jobs is asked apart. */
  get hasApart(): boolean {
    return this.apart.size > 0;
  }

  /** The lanes of a queue that are believed to hold jobs and are asked apart. */
  apartOf(queueId: number): ReadonlyMap<number, ApartLane> | undefined {
    return this.apart.get(queueId);
  }

  apartLane(laneId: number): ApartLane | undefined {
    const lane = this.lanes.get(laneId);
    return lane === undefined ? undefined : this.apart.get(lane.queueId)?.get(laneId);
  }

  /** What the jobs of lanes that are asked apart need, to be kept: settings may change while a claim is away. */
  apartNeeds(asks: readonly { readonly lane: number }[]): ReadonlyMap<number, Amounts> {
    const needs = new Map<number, Amounts>();
    if (!this.hasApart) return needs;
    for (const { lane } of asks) {
      const apart = this.apartLane(lane);
      if (apart !== undefined) needs.set(lane, apart.needs);
    }
    return needs;
  }

  /** After a look at all lanes with jobs: what was not seen is empty. Only of those that are asked apart. */
  keepApart(seen: ReadonlySet<number>): void {
    for (const lanes of [...this.apart.values()])
      for (const id of [...lanes.keys()]) if (!seen.has(id)) this.markEmpty(id);
  }

  /** Lanes of a queue that are believed to hold jobs, without those that are asked apart. */
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

  /** Whether the jobs of a lane are this worker's to run now: it serves it, and its kind is not held. */
  mayServe(lane: Lane): boolean {
    return this.serves(lane) && !this.heldKinds.has(lane.kind);
  }

  private serves(lane: Lane): boolean {
    return servesLane(lane, this.worker, this.needsOf(lane));
  }

  private isApart(lane: Lane): boolean {
    return Object.keys(this.needsOf(lane)).length > 0 || this.leaves(lane);
  }

  /** Whether the jobs of a lane prefer workers other than this one. */
  private leaves({ wants }: Lane): boolean {
    return wants.prefers !== undefined && !requirementsMet(wants.prefers, this.worker.tags);
  }

  private activate(lane: Lane, priority: number | undefined): void {
    const held = this.heldKinds.size === 0 ? undefined : this.heldKinds.get(lane.kind);
    if (held !== undefined) {
      held.add(lane.id);
      return;
    }
    if (this.isApart(lane)) {
      this.activateApart(lane, priority);
      return;
    }
    let lanes = this.active.get(lane.queueId);
    if (lanes === undefined) {
      lanes = new Map();
      this.active.set(lane.queueId, lanes);
    }
    lanes.set(lane.id, priority ?? lanes.get(lane.id) ?? 0);
  }

  private activateApart(lane: Lane, priority: number | undefined): void {
    let lanes = this.apart.get(lane.queueId);
    if (lanes === undefined) {
      lanes = new Map();
      this.apart.set(lane.queueId, lanes);
    }
    const known = lanes.get(lane.id);
    if (known !== undefined) {
      known.priority = priority ?? known.priority;
      return;
    }
    lanes.set(lane.id, {
      lane,
      needs: this.needsOf(lane),
      left: this.leaves(lane),
      priority: priority ?? 0,
      servedAtMs: 0,
      passedOverSinceMs: undefined,
      askAtMs: 0,
    });
  }

  private serve(lane: Lane): void {
    if (!this.queues.has(lane.queueId) || !this.serves(lane)) return;
    const lanes = this.served.get(lane.queueId);
    if (lanes === undefined) this.served.set(lane.queueId, [lane]);
    else if (!lanes.includes(lane)) lanes.push(lane);
  }
}
