/**
 * What a worker knows of jobs under limits: which of its queues have keyed lanes with turns, and how many lanes fill a
 * claim. Which of them may go is decided in the database (`claim_keyed.sql`). Where no limit is declared it asks nothing.
 */

import { type Amounts, timesFitting } from '../domain/amounts.ts';
import type { Clock } from '../domain/clock.ts';
import { isLineshaftError } from '../domain/errors.ts';
import type { Row, Session } from '../store/session.ts';
import type { BoundStatements } from '../store/statements.ts';
import type { Lane, LaneDirectory } from './lanes.ts';
import type { Ask, QueueLoad } from './plan-claim.ts';
import type { QueueRuntime } from './queue-runtime.ts';

/** Lanes that one claim looks at. */
const lanesMin = 8;
const lanesMax = 1_000;
const lanesPerJobMin = 1 / 16;
const lanesPerJobMax = 1.25;
const basesMax = 10_000;
/** Pauses while all turns are locked by claims of other workers, which last a few milliseconds. */
const busyPauseMs = [1, 2, 4, 8, 16, 32];

/** What one claim asks for. */
export interface KeyedPlan {
  readonly asks: readonly Ask[];
  /** The lanes proper that it asks, the group of each (from 1), and the room of each group. */
  readonly bases: readonly number[];
  readonly groups: readonly number[];
  readonly rooms: readonly number[];
  /** What the jobs of a lane need, of those that need amounts. */
  readonly needs: ReadonlyMap<number, Amounts>;
}

export class KeyedClaims {
  private readonly directory: LaneDirectory;
  private readonly session: Session;
  private readonly completions: Session;
  private readonly statements: BoundStatements;
  private readonly clock: Clock;
  private readonly free: () => Amounts;
  /** Queues that are believed to have turns. */
  private readonly active = new Set<number>();
  /** Queues that have had some: of news about them one need not ask what it means. */
  private readonly known = new Set<number>();
  /** Lanes proper of them whose turns were all taken, until there is news. */
  private readonly empty = new Set<number>();
  private wanted = true;
  /** Counts news, so that what came while a claim was under way is not forgotten with what it found. */
  private news = 0;
  private newsAtClaim = 0;
  /** How many lanes are looked at for each job that there is room for; learnt from what they give. */
  private lanesPerJob = 0.25;
  /** Claims in a row that found all turns locked. */
  private busy = 0;
  private busyUntilMs = Number.NEGATIVE_INFINITY;
  /** A limit had a say in the last claim that looked at any: the next locks their counters first. */
  private careful = false;
  /** Counts claims, so that lanes that need amounts take turns. */
  private rotation = 0;

  constructor(options: {
    directory: LaneDirectory;
    session: Session;
    completions: Session;
    statements: BoundStatements;
    clock: Clock;
    /** The amounts that are not held. */
    free: () => Amounts;
  }) {
    this.directory = options.directory;
    this.session = options.session;
    this.completions = options.completions;
    this.statements = options.statements;
    this.clock = options.clock;
    this.free = options.free;
  }

  /** There may be turns now, of these queues or anywhere: jobs were enqueued, or room was freed. */
  expect(queueIds?: readonly number[]): void {
    this.news += 1;
    this.wanted ||= this.session.pooled || !queueIds?.every((queueId) => this.known.has(queueId));
    for (const queueId of queueIds ?? []) {
      if (this.known.has(queueId) && this.directory.lanesOf(queueId).length > 0) this.active.add(queueId);
    }
    this.empty.clear();
    this.busy = 0;
    this.busyUntilMs = Number.NEGATIVE_INFINITY;
  }

  /** Whether limits had a say in the last claim that looked at any lane. */
  get limitsBind(): boolean {
    return this.careful;
  }

  get any(): boolean {
    return this.active.size > 0;
  }

  /** How long until a claim is worth it, where other workers had locked all turns; infinite if none did. */
  waitMs(): number {
    const waitMs = this.busyUntilMs - this.clock.monotonic();
    return this.active.size > 0 && this.busy > 0 ? Math.max(waitMs, 1) : Number.POSITIVE_INFINITY;
  }

  /** Asks which lanes have keyed ones with turns. @param load makes lanes known that are not */
  async look(load: (bases: readonly number[]) => Promise<void>): Promise<void> {
    if (!this.wanted) return;
    this.wanted = false;
    if (!this.directory.limits.any) {
      this.active.clear();
      return;
    }
    const rows = await this.session.query(this.statements.basesWithTurns, [basesMax]);
    const bases = rows.map((row) => Number(row[0]));
    if (bases.some((base) => this.directory.lane(base) === undefined)) await load(bases);
    for (const base of bases) {
      this.empty.delete(base);
      const lane = this.directory.lane(base);
      if (lane === undefined || !this.directory.lanesOf(lane.queueId).includes(lane)) continue;
      this.active.add(lane.queueId);
      this.known.add(lane.queueId);
    }
  }

  /** The queues that may be asked now. */
  loads(runtimes: Iterable<QueueRuntime>): QueueLoad[] {
    const loads: QueueLoad[] = [];
    if (this.busyUntilMs > this.clock.monotonic()) return loads;
    for (const { queue, held, meanMs } of runtimes) {
      if (queue.state === 'paused' || !this.active.has(queue.id)) continue;
      const { concurrency, priority, weight } = queue;
      const lanes = { perLane: undefined, lanes: [0] };
      loads.push({ queueId: queue.id, concurrency, held, meanMs, ...lanes, priority, weight });
    }
    return loads;
  }

  /**
   * What to ask, given how many jobs each queue may have. Of the lanes that need amounts one is asked in a claim, for as
   * many jobs as fit; they take turns. Undefined if there is nothing to ask.
   */
  plan(asks: readonly Ask[]): KeyedPlan | undefined {
    const bases: number[] = [];
    const groups: number[] = [];
    const rooms: number[] = [];
    const needing: { lane: Lane; needs: Amounts; room: number }[] = [];
    for (const { group, limit } of asks) {
      rooms.push(limit);
      for (const lane of this.directory.lanesOf(group)) {
        if (this.directory.isHeld(lane.kind) || this.empty.has(lane.id)) continue;
        const needs = this.directory.needsOf(lane);
        if (Object.keys(needs).length === 0) {
          bases.push(lane.id);
          groups.push(rooms.length);
          continue;
        }
        const room = Math.min(timesFitting(needs, this.free()), limit);
        if (room >= 1) needing.push({ lane, needs, room });
      }
    }
    const needs = new Map<number, Amounts>();
    // Halved, since every second claim is for the lanes that need nothing.
    const chosen = needing[(this.rotation >> 1) % Math.max(needing.length, 1)];
    if (chosen !== undefined && (bases.length === 0 || this.rotation % 2 === 0)) {
      needs.set(chosen.lane.id, chosen.needs);
      return { asks, bases: [chosen.lane.id], groups: [1], rooms: [chosen.room], needs };
    }
    return bases.length === 0 ? undefined : { asks, bases, groups, rooms, needs };
  }

  /** What to ask for probes of a kind that is held, of each lane that may have some. */
  probes(kind: string): { lane: number; plan: (granted: number) => KeyedPlan }[] {
    return [...this.active].flatMap((queueId) =>
      this.directory
        .lanesOf(queueId)
        .filter((lane) => lane.kind === kind)
        .map((lane) => {
          const needs = this.directory.needsOf(lane);
          const any = Object.keys(needs).length > 0;
          const plan = (granted: number): KeyedPlan => ({
            asks: [],
            bases: [lane.id],
            groups: [1],
            rooms: [granted],
            needs: new Map(any ? [[lane.id, needs]] : []),
          });
          return { lane: lane.id, plan };
        }),
    );
  }

  /** Claims; the last row tells how it went (`learn`). No row: a counter was collected or locks met; try again. */
  async claim(plan: KeyedPlan, workerRow: string): Promise<Row[]> {
    this.rotation += 1;
    this.newsAtClaim = this.news;
    try {
      return await this.ask(plan, workerRow);
    } catch (error) {
      if (isLineshaftError(error) && /^40/.test(String(error.details['sqlstate']))) return [];
      throw error;
    }
  }

  private async ask({ bases, groups, rooms }: KeyedPlan, workerRow: string): Promise<Row[]> {
    const lanes = Math.ceil(this.lanesPerJob * Math.max(...rooms));
    const most = Math.min(Math.max(lanes, lanesMin), lanesMax);
    const values = [workerRow, array(bases), array(groups), array(rooms), most, this.careful];
    // Where limits bind, a claim follows each write that makes room, and both want the same counters: on one connection a
    // server process that is warm does both. Never behind a write: one that gets no answer must not hold claims up too.
    const session = this.careful && !this.completions.isBusy ? this.completions : this.session;
    return await session.query(this.statements.claimKeyed, values, this.session.timeoutMs);
  }

  /** Remembers how a claim went. Returns whether time alone will open lanes that it parked. */
  learn(plan: KeyedPlan, summary: Row | undefined, jobs: number): boolean {
    const lanes = Number(summary?.[2] ?? 0);
    const left = summary === undefined || Number(summary[3]) === 1;
    const room = plan.rooms.reduce((sum, rooms) => sum + rooms, 0);
    if (summary?.[5] != null) this.careful = summary[5] === 'true';
    // A lane costs more than a job: few lanes with many jobs each are looked at where there are such.
    if (left && lanes > 0) {
      const next = this.lanesPerJob * (jobs < 0.6 * room ? 1.5 : 0.85);
      this.lanesPerJob = Math.min(Math.max(next, lanesPerJobMin), lanesPerJobMax);
    }
    if (left && jobs + lanes === 0) {
      const pauseMs = busyPauseMs[Math.min(this.busy, busyPauseMs.length - 1)] ?? 0;
      this.busy += 1;
      this.busyUntilMs = this.clock.monotonic() + pauseMs;
    } else {
      this.busy = 0;
      if (!left && this.news === this.newsAtClaim) this.forget(plan);
    }
    return summary?.[4] != null;
  }

  /** What was asked has no turns left; a queue has none if all its lanes were asked. */
  private forget({ bases, asks }: KeyedPlan): void {
    for (const base of bases) this.empty.add(base);
    for (const { group } of asks) {
      const lanes = this.directory.lanesOf(group);
      const over = lanes.every((lane) => this.empty.has(lane.id) || this.directory.isHeld(lane.kind));
      if (over) this.active.delete(group);
    }
  }
}

function array(values: readonly number[]): string {
  return `{${values.join(',')}}`;
}
