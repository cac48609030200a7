/**
 * The claim loop: asks the database for jobs while there is room, goes on at once after a full claim, and sleeps
 * when nothing is known to wait, until a notification, an ended job or the polling interval wakes it.
 */

import type { Amounts } from '../domain/amounts.ts';
import type { Clock } from '../domain/clock.ts';
import { judgeServing, type LiveWorker } from '../domain/serving.ts';
import { leaveForMs } from '../domain/wants.ts';
import { textArray } from '../queue/enqueue-batch.ts';
import type { Rest } from '../services/rest.ts';
import { Loop } from '../services/service.ts';
import type { Row, Session } from '../store/session.ts';
import type { BoundStatements } from '../store/statements.ts';
import { ApartLanes, type ApartPlan } from './apart-lanes.ts';
import type { Circuits } from './circuits.ts';
import { laneFromRow, pgArray, workerFromRow } from './claim-rows.ts';
import type { Result } from './completer.ts';
import { isReadyAtOnce } from './completion-groups.ts';
import { fencedClaim } from './fenced-claim.ts';
import { HeldJob, Lease } from './held-job.ts';
import { KeyedClaims, type KeyedPlan } from './keyed-claims.ts';
import type { Lane, LaneDirectory } from './lanes.ts';
import { type Ask, claimMaxJobs, claimMaxLanes, emptied, planClaim, type QueueLoad } from './plan-claim.ts';
import { type ProbeLane, Probes } from './probes.ts';
import type { QueueRuntime } from './queue-runtime.ts';

export interface ClaimerHost {
  readonly directory: LaneDirectory;
  /** The connection on which results are written. */
  readonly completions: Session;
  /** After so long, what a lane needs is kept for it. */
  readonly reserveAfterMs: number;
  /** The row of this worker, which fences its claims. */
  workerRow(): string;
  runtimes(): IterableIterator<QueueRuntime>;
  runtime(queueId: number): QueueRuntime | undefined;
  held(): number;
  slots(): number;
  /** How often to look when nothing wakes it; undefined: as its queues say. */
  pollingIntervalMs(): number | undefined;
  /** How long it is known that nothing at all waited to be claimed; infinite if it did. */
  sinceEmptyMs(): number;
  /** No claims while it is true: stopping, or too much is not written yet. */
  paused(): boolean;
  /** Takes the jobs in; they start with `startJobs`. */
  onClaimed(lease: Lease, jobs: readonly HeldJob[]): void;
  startJobs(): void;
  /** The database does not know this worker any more. */
  onDisowned(): Promise<void>;
  onError(name: string, error: unknown): void;
  onRecovered(): void;
  readonly circuits: Circuits;
  readonly rest: Rest | undefined;
  /** Nothing is known to wait, after asking. */
  onDrained(): void;
  /** A claim has parked lanes that time alone will open again. */
  onLimited(): void;
}

/** Queues with more lanes than this are asked by the directory which of them hold jobs. */
const fewLanes = 8;
const discoverBatch = 2_000;
const discoverMaxBatches = 50;
const busyDiscoverMs = 1_000;
/** While there is known work, looks take at most this share of the time; less where there is no news. */
const discoverShare = 0.1;
const routineDiscoverShare = 0.01;
/** Looks after a wake from somebody else's transaction, which may not have been the last to commit. */
const secondLooksMs = [20, 100, 500];

export class Claimer {
  private readonly host: ClaimerHost;
  private readonly session: Session;
  private readonly statements: BoundStatements;
  private readonly clock: Clock;
  private readonly loop: Loop;
  /** Lanes whose jobs need amounts, or prefer other workers. */
  private readonly apart: ApartLanes;
  private readonly probes: Probes;
  private claimMs = 5;
  private discoverAtMs = Number.NEGATIVE_INFINITY;
  private discoverCostMs = 0;
  private discoverWanted = true;
  private looks: (() => void)[] = [];
  private asleep = false;
  /** Counts the queues that were asked, so that they take turns. */
  private turn = 0;
  /** How many claims were sent. */
  claims = 0;
  /** The claim whose answer has not come yet. */
  underWay: Promise<unknown> | undefined;
  readonly keyed: KeyedClaims;
  /** Counts wakes, so that a claim that was under way when one came does not call a lane empty. */
  private wakes = 0;

  constructor(options: { host: ClaimerHost; session: Session; statements: BoundStatements; clock: Clock }) {
    this.host = options.host;
    this.session = options.session;
    this.statements = options.statements;
    this.clock = options.clock;
    const { directory, reserveAfterMs, completions } = options.host;
    this.apart = new ApartLanes({ directory, offers: directory.worker.offers, reserveAfterMs });
    this.probes = new Probes(options.host);
    this.keyed = new KeyedClaims({ ...options, directory, completions, free: () => this.apart.freeAmounts });
    this.loop = new Loop({
      name: 'claim',
      clock: options.clock,
      rest: options.host.rest,
      first: true,
      round: () => this.round(),
      onError: (name, error) => this.host.onError(name, error),
      onRecovered: () => this.host.onRecovered(),
    });
  }

  start(): void {
    this.loop.start();
  }

  async stop(): Promise<void> {
    for (const takeBack of this.looks) takeBack();
    this.looks = [];
    await this.loop.stop();
  }

  /** A job ended, so there may be room: cheap enough to call for each. */
  kick(): void {
    if (this.asleep) this.loop.wake();
  }

  /** Attempts have ended, and it is written: there is room, and some of their jobs may go on at once. */
  onSettled(results: readonly Result[]): void {
    const freed = new Set<number>();
    const again: number[] = [];
    let givenBack = false;
    for (const { job, ending } of results) {
      if (job.keyed !== undefined) freed.add(job.runtime.queue.id);
      else if (ending.type === 'later' && isReadyAtOnce(ending)) again.push(job.lane.id);
      if (ending.type === 'ready') givenBack = true;
    }
    // What other queues may have of freed room comes as a message.
    if (freed.size > 0) this.expectKeyed([...freed]);
    if (again.length > 0) {
      this.wakes += 1;
      this.host.directory.markActive(again);
    }
    if (givenBack) this.lookAround();
    else this.kick();
  }

  /** Jobs under limits may go on, of these queues or anywhere: some were enqueued, or room was freed. */
  expectKeyed(queueIds?: readonly number[]): void {
    this.keyed.expect(queueIds);
    this.loop.wake();
  }

  /** Queues have jobs. `twice`: told from a transaction of somebody else, so look again a little later. */
  wakeQueues(queueIds: readonly number[], twice: boolean): void {
    this.expectJobs(queueIds);
    if (!twice || this.looks.length > 0) return;
    this.looks = secondLooksMs.map((ms, place) =>
      this.clock.after(ms, () => {
        if (place === secondLooksMs.length - 1) this.looks = [];
        this.expectJobs(queueIds);
      }),
    );
  }

  /** Whether limits had a say in the last claim under limits. */
  get limitsBind(): boolean {
    return this.keyed.limitsBind;
  }

  /** Asks the database where jobs wait, as after a lost connection or a change of queues. */
  lookAround(): void {
    this.wakes += 1;
    this.discoverWanted = true;
    this.expectKeyed();
  }

  private expectJobs(queueIds: readonly number[]): void {
    this.wakes += 1;
    for (const queueId of queueIds) {
      if (this.host.directory.queue(queueId) === undefined) continue;
      const lanes = this.host.directory.lanesOf(queueId);
      if (lanes.length > fewLanes) this.discoverWanted = true;
      else this.host.directory.markActive(lanes.map((lane) => lane.id));
    }
    this.expectKeyed(queueIds);
  }

  private async round(): Promise<number> {
    this.asleep = false;
    while (!this.host.paused()) {
      await this.keyed.look((bases) => this.loadLanes(bases));
      if (this.discoverWanted && this.mayDiscover()) {
        await this.discover();
        if (!this.knowsOfJobs() && !this.keyed.any) this.host.onDrained();
      }
      for (const probe of this.probes.lanes()) await this.probe(probe);
      const claimedKeyed = this.keyed.any && (await this.claimKeyed());
      const { asks, left } = this.plan();
      if (asks.length > 0 || left.length > 0) {
        for (const ask of left) await this.claimLeft(ask);
        if (asks.length > 0) await this.claim(asks);
        const routineMs = Math.max(busyDiscoverMs, this.discoverCostMs / routineDiscoverShare);
        if (this.sinceDiscoverMs() > routineMs) this.discoverWanted = true;
      } else if (!claimedKeyed && (!this.discoverWanted || !this.mayDiscover())) break;
    }
    this.asleep = true;
    // Each poll is a look around: messages can be lost, and behind a pooler there are none.
    const sinceLookMs = Math.min(this.sinceDiscoverMs(), this.host.sinceEmptyMs());
    const pollMs = this.pollMs();
    if (sinceLookMs >= pollMs) {
      this.discoverWanted = true;
      this.keyed.expect();
    }
    const nextLookMs = this.discoverWanted ? Math.min(this.discoverPauseMs(), pollMs) : pollMs;
    const waitMs = Math.min(nextLookMs - sinceLookMs, this.apart.waitMs(this.clock.monotonic()));
    return Math.min(Math.max(waitMs, 10), this.keyed.waitMs());
  }

  /** While there is known work, looks for more may take only their share of the time. */
  private mayDiscover(): boolean {
    return !this.knowsOfJobs() || this.sinceDiscoverMs() >= this.discoverPauseMs();
  }

  private discoverPauseMs(): number {
    return this.discoverCostMs / discoverShare;
  }

  private sinceDiscoverMs(): number {
    return this.clock.monotonic() - this.discoverAtMs;
  }

  private knowsOfJobs(): boolean {
    for (const { queue } of this.host.runtimes())
      if (queue.state !== 'paused' && this.host.directory.activeOf(queue.id).size > 0) return true;
    return this.apart.mayAsk(this.clock.monotonic());
  }

  private pollMs(): number {
    const own = this.host.pollingIntervalMs();
    if (own !== undefined) return own;
    let pollMs = 60_000;
    for (const queue of this.host.directory.servedQueues())
      pollMs = Math.min(pollMs, queue.pollingIntervalMs);
    return pollMs;
  }

  private plan(): { asks: readonly Ask[]; left: ApartPlan['left'] } {
    const { apart } = this;
    const { directory } = this.host;
    const loads: QueueLoad[] = [];
    for (const runtime of this.host.runtimes()) {
      const { queue, held, kept, meanMs, perLane, aheadMost } = runtime;
      const active = directory.activeOf(queue.id);
      if (active.size === 0 && directory.apartOf(queue.id) === undefined) continue;
      if (queue.state === 'paused') continue;
      const lanes = active.size === 0 ? [] : directory.inTurn(queue.id, claimMaxLanes);
      const { id: queueId, concurrency, priority, weight } = queue;
      loads.push({ queueId, concurrency, held, kept, aheadMost, meanMs, perLane, lanes, priority, weight });
    }
    if (loads.length === 0) return nothingToAsk;
    const worker = { slots: this.host.slots(), held: this.host.held(), claimMs: this.claimMs };
    if (!directory.hasApart) return { asks: planClaim(loads, worker, this.turn), left: [] };
    const { asks, left, loads: rest } = apart.plan(loads, worker, this.clock.monotonic());
    const held = worker.held + asks.reduce((sum, { take }) => sum + take, 0);
    return { asks: [...asks, ...planClaim(rest, { ...worker, held }, this.turn)], left };
  }

  /** A claim of jobs under limits; false where there is no room for any, or nothing to ask. */
  private async claimKeyed(): Promise<boolean> {
    for (const kind of this.host.circuits.probing()) await this.probeKeyed(kind);
    const loads = this.keyed.loads(this.host.runtimes());
    const worker = { slots: this.host.slots(), held: this.host.held(), claimMs: this.claimMs };
    const plan = this.keyed.plan(loads.length === 0 ? [] : planClaim(loads, worker, this.turn));
    if (plan === undefined) return false;
    this.turn += plan.asks.length;
    return (await this.takeKeyed(plan)) !== undefined;
  }

  /** How many jobs under limits a claim gave; undefined: the worker was taken for dead. */
  private async takeKeyed(plan: KeyedPlan, probe?: number): Promise<number | undefined> {
    const startedMs = this.clock.monotonic();
    this.claims += 1;
    const rows = await this.fenced((worker) => this.keyed.claim(plan, worker));
    if (rows === undefined) return undefined;
    this.claimMs += (this.clock.monotonic() - startedMs - this.claimMs) * 0.2;
    if (this.keyed.learn(plan, rows.pop(), rows.length)) this.host.onLimited();
    await this.takeIn(rows, plan.needs, probe);
    return rows.length;
  }

  private async probeKeyed(kind: string): Promise<void> {
    const { circuits } = this.host;
    for (const { lane, plan } of this.keyed.probes(kind)) {
      const most = this.probes.room(lane, this.apart.freeAmounts);
      const { granted, round } = most <= 0 ? { granted: 0, round: 0 } : await circuits.takeProbes(kind, most);
      if (granted === 0) continue;
      let claimed: number | undefined = 0;
      try {
        claimed = await this.takeKeyed(plan(granted), round);
      } finally {
        circuits.giveProbesBack(kind, round, granted - (claimed ?? 0));
      }
    }
  }

  /** Claims jobs of a kind whose circuit is half-open: exactly as many as it hands out. */
  private async probe({ lane, kind, queueId, needs }: ProbeLane): Promise<void> {
    const { circuits } = this.host;
    const most = this.probes.room(lane, this.apart.freeAmounts);
    if (most <= 0) return;
    const { granted, round } = await circuits.takeProbes(kind, most);
    if (granted === 0) return;
    let claimed = 0;
    try {
      claimed = await this.claim([{ lane, take: granted, group: queueId, limit: granted }], { round, needs });
    } finally {
      circuits.giveProbesBack(kind, round, granted - claimed);
    }
  }

  /** How many jobs it got. `probe`: they are probes, of this round of their circuit. */
  private async claim(
    asks: readonly Ask[],
    probe?: { readonly round: number; readonly needs: ReadonlyMap<number, Amounts> },
  ): Promise<number> {
    const startedMs = this.clock.monotonic();
    const { wakes } = this;
    this.claims += 1;
    this.turn += new Set(asks.map((ask) => this.host.directory.lane(ask.lane)?.queueId)).size;
    const needs = probe?.needs ?? this.host.directory.apartNeeds(asks);
    const rows = await this.ask(asks);
    if (rows === undefined) return 0;
    this.claimMs += (this.clock.monotonic() - startedMs - this.claimMs) * 0.2;
    const perLane = await this.takeIn(rows, needs, probe?.round);
    this.learnOfLanes(asks, perLane);
    if (wakes === this.wakes) for (const lane of emptied(asks, perLane)) this.host.directory.markEmpty(lane);
    return rows.length;
  }

  /** Takes claimed jobs in and lets them start. Returns how many there were of each lane. */
  private async takeIn(
    rows: readonly Row[],
    needs: ReadonlyMap<number, Amounts>,
    probe?: number,
  ): Promise<ReadonlyMap<number, number>> {
    const perLane = new Map<number, number>();
    const [first] = rows;
    if (first === undefined) return perLane;
    const lease = new Lease(first[0] as string, this.clock.monotonic());
    const jobs: HeldJob[] = [];
    for (const row of rows) {
      const lane = this.host.directory.lane(Number(row[2]));
      const runtime = lane === undefined ? undefined : this.host.runtime(lane.queueId);
      if (lane === undefined || runtime === undefined) continue;
      perLane.set(lane.id, (perLane.get(lane.id) ?? 0) + 1);
      const job = new HeldJob(row, lease, lane, runtime);
      job.probe = probe;
      jobs.push(job);
      const needed = needs.get(lane.id);
      if (needed !== undefined) this.apart.hold(job, needed);
    }
    for (const lane of needs.keys()) if (perLane.has(lane)) this.apart.served(lane, lease.takenAtMs);
    this.host.onClaimed(lease, jobs);
    await this.releaseKeys(jobs).catch((error: unknown) => this.host.onError('claim', error));
    // After a full claim the next one is sent before these jobs run, so that the database never waits for us.
    if (rows.length >= claimMaxJobs / 2) setImmediate(() => this.host.startJobs());
    else this.host.startJobs();
    return perLane;
  }

  /** Asks a lane whose jobs prefer others for those that were left to them for long enough. */
  private async claimLeft({ lane: id, take }: ApartPlan['left'][number]): Promise<void> {
    const apart = this.host.directory.apartLane(id);
    if (apart === undefined) return;
    const { wakes } = this;
    const needs = this.host.directory.apartNeeds([{ lane: id }]);
    const leaveMs = leaveForMs(
      apart.lane.wants,
      this.host.directory.worker.tags,
      await this.ableWorkers(apart.lane),
    );
    const rows = await this.fenced((worker) =>
      this.session.query(this.statements.claimLeft, [worker, id, take, leaveMs]),
    );
    const rest = rows?.pop();
    if (rows === undefined || rest === undefined) return;
    await this.takeIn(rows, needs);
    // The last row says when the first of what is left may be taken.
    if (rest[3] == null && wakes === this.wakes) this.host.directory.markEmpty(id);
    apart.askAtMs = this.clock.monotonic() + (rest[3] == null ? 0 : Math.max(Number(rest[3]), 0));
  }

  /** The live workers that may run the jobs of a lane. */
  private async ableWorkers(lane: Lane): Promise<readonly LiveWorker[]> {
    const rows = await this.session.query(this.statements.liveWorkers);
    const slug = this.host.directory.queue(lane.queueId)?.slug ?? '';
    const demand = { ...lane, slug, needs: this.host.directory.needsOf(lane) };
    return judgeServing(demand, rows.map(workerFromRow)).able;
  }

  private async ask(asks: readonly Ask[]): Promise<Row[] | undefined> {
    const [only] = asks;
    return await this.fenced(async (worker) => {
      if (asks.length === 1 && only !== undefined)
        return await this.session.query(this.statements.claimLane, [worker, only.lane, only.take]);
      if (new Set(asks.map((ask) => ask.group)).size === asks.length) {
        return await this.session.query(this.statements.claimEach, [
          worker,
          pgArray(asks.map((ask) => ask.lane)),
          pgArray(asks.map((ask) => ask.take)),
        ]);
      }
      return await this.session.query(this.statements.claimLanes, [
        worker,
        pgArray(asks.map((ask) => ask.lane)),
        pgArray(asks.map((ask) => ask.take)),
        pgArray(asks.map((ask) => ask.group)),
        pgArray(asks.map((ask) => ask.limit)),
      ]);
    });
  }

  private async fenced(claim: (workerRow: string) => Promise<Row[]>): Promise<Row[] | undefined> {
    const asked = fencedClaim(this.host, claim);
    this.underWay = asked;
    const rows = await asked.finally(() => (this.underWay = undefined));
    // Under its new row it must ask again.
    if (rows === undefined) this.lookAround();
    return rows;
  }

  /** Frees the unique keys that cover their jobs only while they wait. */
  private async releaseKeys(jobs: readonly HeldJob[]): Promise<void> {
    const keyed = jobs.filter((job) => job.freesKeyAtClaim);
    if (keyed.length === 0) return;
    await this.session.query(this.statements.releaseRunningKeys, [
      pgArray(keyed.map((job) => job.runtime.queue.projectId)),
      textArray(keyed.map((job) => job.options.unique?.key)),
      `{${keyed.map((job) => job.jobId).join(',')}}`,
    ]);
  }

  /** Lanes that were asked each for itself take turns: how much they gave says how many to ask next time. */
  private learnOfLanes(asks: readonly Ask[], perLane: ReadonlyMap<number, number>): void {
    for (const ask of asks) {
      if (ask.group !== -ask.lane) continue;
      this.host.directory.markAsked(ask.lane);
      const lane = this.host.directory.lane(ask.lane);
      const runtime = lane === undefined ? undefined : this.host.runtime(lane.queueId);
      runtime?.observeLane(perLane.get(ask.lane) ?? 0, ask.take);
    }
  }

  private async discover(): Promise<void> {
    this.discoverWanted = false;
    const startedMs = this.clock.monotonic();
    // Lanes without jobs are known from the start: a wake names queues, and their lanes are asked at once.
    if (this.discoverAtMs === Number.NEGATIVE_INFINITY) await this.loadLanes([]);
    let after = 0;
    const { wakes } = this;
    const seen = this.host.directory.hasApart ? new Set<number>() : undefined;
    for (let batch = 0; batch < discoverMaxBatches; batch += 1) {
      const rows = await this.session.query(this.statements.lanesWithJobs, [after, discoverBatch]);
      const ids = rows.map((row) => Number(row[0]));
      const priorities = rows.map((row) => Number(row[1]));
      if (this.host.directory.markActive(ids, priorities).unknown) {
        await this.loadLanes(ids);
        this.host.directory.markActive(ids, priorities);
      }
      for (const id of ids) seen?.add(id);
      if (rows.length < discoverBatch) {
        if (seen !== undefined && wakes === this.wakes) this.host.directory.keepApart(seen);
        break;
      }
      after = ids.at(-1) ?? after;
    }
    this.discoverAtMs = this.clock.monotonic();
    this.discoverCostMs = this.discoverAtMs - startedMs;
  }

  /** Loads lanes that are new; all of them if one that should be known is not (numbers commit out of order). */
  private async loadLanes(seen: readonly number[]): Promise<void> {
    const { directory } = this.host;
    const missed = seen.some((id) => id <= directory.highest && directory.lane(id) === undefined);
    const rows = await this.session.query(this.statements.lanesSince, [missed ? 0 : directory.highest]);
    directory.addLanes(rows.map(laneFromRow));
  }
}

const nothingToAsk = { asks: [], left: [] } as const;
