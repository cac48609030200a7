/**
 * Polls for steps. All polls of this process wait in memory; one claim at a time takes steps for all of them that are worth
 * a look: their kind was enqueued here, the database said that something is ready, or nobody has looked since. So polls that
 * wait cost the database nothing, whatever their number. Without notifications (behind a pooler) it looks every 100 ms.
 */

import type { Clock } from '../domain/clock.ts';
import { isLineshaftError } from '../domain/errors.ts';
import type { WorkflowDefinition } from '../domain/workflow/definition.ts';
import type { Step } from '../domain/workflow/run.ts';
import type { Notifications } from '../queue/notifications.ts';
import { type Route, type Row, Session } from '../store/session.ts';
import type { BoundStatements } from '../store/statements.ts';
import type { ClaimBeside, ClaimsBeside, StepsOf } from './claim-beside.ts';
import type { HandOver } from './hand-over.ts';
import type { HandedSteps } from './handed-steps.ts';
import { isApart } from './kept-apart.ts';
import type { PollRecords } from './poll-records.ts';
import { type ClaimPlan, claimValues, type Pair, type Poll, type PollWaiters } from './poll-waiters.ts';
import { Wheel } from './poll-wheel.ts';
import { PolledLeases } from './polled-leases.ts';
import { checkPoll, polledStep } from './polled-step.ts';
import type { PolledStep, PollRequest } from './port.ts';
import { stepFromText } from './rows.ts';
import type { RunStore } from './run-store.ts';

/** Polls that wait in one process; more are answered at once. */
const pollsMost = 200_000;
/** How often all that is waited for is looked at where nobody says that something has come, and where they do. */
const blindLookMs = 100;
const safetyLookMs = 5_000;
/** Looks at all pairs take at most this share of the time, where there are more than a few. */
const lookShare = 0.1;
const fewPairs = 32;
const errorPauseMaxMs = 2_000;
/** After so long a pair is looked at again of which somebody has locked the lanes. */
const lockedPauseMs = 5;
/** A poll whose time is over waits so long for a claim that may give it something. */
const claimPatienceMs = 500;

export class PollBook implements ClaimsBeside {
  private readonly session: Session;
  private readonly statements: BoundStatements;
  private readonly clock: Clock;
  private readonly notifications: Notifications;
  private readonly store: RunStore;
  private readonly handOver: HandOver;
  private readonly records: PollRecords;
  private readonly onTrouble: (error: unknown) => void;
  private readonly id: string;
  private readonly waiters: PollWaiters;
  private readonly wheel: Wheel<Poll>;
  private readonly leases: PolledLeases;
  private running: Promise<void> | undefined;
  /** Counts what says that something may have come for anybody. */
  private wakes = 0;
  /** Something has come for whom it may concern: look at all, not before `lookAtMs`. */
  private lookWanted = false;
  private lookAtMs = 0;
  private takeBackLook: (() => void) | undefined;
  private takeBackTick: (() => void) | undefined;
  private unlisten: (() => void) | undefined;
  private queueId: string | undefined;
  private claims = 0;
  private failures = 0;
  /** Claims in statements of others that are under way, or whose steps are being handed out. */
  private readonly beside = new Set<Promise<void>>();
  private closed = false;

  constructor(parts: {
    readonly route: Route;
    readonly statements: BoundStatements;
    readonly clock: Clock;
    readonly notifications: Notifications;
    readonly store: RunStore;
    readonly handed: HandedSteps;
    readonly handOver: HandOver;
    readonly waiters: PollWaiters;
    readonly records: PollRecords;
    /** Claims fail; told once per outage. */
    readonly onTrouble: (error: unknown) => void;
    /** Of this process. */
    readonly id: string;
  }) {
    this.session = new Session(parts.route, 'hot');
    this.statements = parts.statements;
    this.clock = parts.clock;
    this.notifications = parts.notifications;
    this.store = parts.store;
    this.handOver = parts.handOver;
    this.onTrouble = parts.onTrouble;
    this.id = parts.id;
    this.waiters = parts.waiters;
    this.records = parts.records;
    this.wheel = new Wheel<Poll>(parts.clock, (polls) => this.expire(polls));
    this.leases = new PolledLeases({ ...parts, session: this.session });
  }

  /**
   * Steps of a kind for a worker; waits until there is one, or the time is over: then none. At least one comes as soon as
   * there is one, never is waited for `count` of them. Steps that nobody took since the client went away are given back, and so
   * are, by the database and within seconds, those of a process that died before it had answered.
   * @throws LineshaftError OPTION_INVALID
   */
  poll(request: PollRequest): Promise<PolledStep[]> {
    checkPoll(request);
    const { kind, domain, workerId, count, timeoutMs, signal } = request;
    this.records.record(kind, domain, workerId);
    if (this.closed || signal?.aborted === true || this.waiters.polls >= pollsMost)
      return Promise.resolve([]);
    const pair = this.waiters.pairOf(request);
    const unknown = !this.knownEmpty(pair);
    if (!unknown && timeoutMs === 0) return Promise.resolve([]);
    this.begin();
    return new Promise((resolve) => {
      const aborted = (): void => this.abandon(poll);
      const poll: Poll = {
        pair,
        workerId,
        count,
        confirmed: request.confirm !== true,
        resolve,
        steps: [],
        asked: 0,
        slot: -1,
        expired: timeoutMs === 0,
        over: false,
        leave: () => signal?.removeEventListener('abort', aborted),
      };
      signal?.addEventListener('abort', aborted);
      this.waiters.add(poll, unknown);
      if (!poll.expired) this.wheel.add(poll, timeoutMs);
      if (unknown) this.kick();
    });
  }

  /** Steps of these kinds were enqueued by this process, and are committed: those who wait for them look at once. */
  enqueued(steps: Iterable<StepsOf>): void {
    let any = false;
    for (const of of steps) any = this.waiters.touch(of) || any;
    if (any) this.kick();
  }

  claimBeside(steps: Iterable<StepsOf>): ClaimBeside | undefined {
    const plan = this.closed ? undefined : this.waiters.planFor(steps);
    if (plan === undefined) return undefined;
    const { wakes } = this;
    const claim = this.nextClaim();
    const looked = new Set<Pair | undefined>(plan.pairs);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.beside.add(promise);
    const end = (): void => {
      this.beside.delete(promise);
      resolve();
      if (this.anythingToDo()) this.kick();
    };
    return {
      values: claimValues(plan, claim),
      covers: (of) => looked.has(this.waiters.find(of)),
      taken: (rows) => {
        const handed = this.take({ plan, claim, wakes }, rows);
        handed.catch((error: unknown) => this.failed(plan.pairs, error)).finally(end);
      },
      failed: (error) => {
        // What the database refused was undone as a whole.
        if (isLineshaftError(error, 'DATABASE_UNAVAILABLE')) this.leases.lose(claim);
        this.waiters.over(plan);
        for (const pair of plan.pairs) this.afterClaim(pair);
        end();
      },
    };
  }

  /** Puts steps back that a poll answered and nobody received: the connection was cut. Returns how many. */
  giveBack(stepIds: readonly string[]): Promise<number> {
    return this.leases.giveBack(stepIds);
  }

  /** The answer to a poll with `confirm` was sent, with these steps. */
  confirm(stepIds: readonly string[]): void {
    this.leases.confirm(stepIds);
  }

  /** Answers all polls that wait, with what they have. */
  async close(): Promise<void> {
    this.closed = true;
    this.unlisten?.();
    this.takeBackLook?.();
    this.takeBackTick?.();
    this.wheel.stop();
    await this.running;
    while (this.beside.size > 0) await Promise.all(this.beside);
    for (const poll of [...this.waiters.waiting()]) this.answer(poll);
    await this.leases.close();
    await this.records.close();
    await this.session.close();
  }

  private begin(): void {
    this.unlisten ??= this.notifications.add({
      onMessage: (type, body) => this.heard(type, body),
      onConnected: () => this.lookSoon(),
      resting: () => this.waiters.polls === 0,
    });
    this.takeBackTick ??= this.clock.after(
      this.notifications.connected ? safetyLookMs : blindLookMs,
      () => {
        this.takeBackTick = undefined;
        if (this.waiters.polls === 0) return;
        this.lookSoon();
        this.begin();
      },
      true,
    );
  }

  private heard(type: string, body: string): void {
    // Ready jobs, or settings of queues: one may have been resumed.
    if (type === 'q') this.queueId = undefined;
    else if (type !== 'r' && type !== 'a' && type !== 'u') return;
    else if (this.queueId !== undefined && !body.split(',').includes(this.queueId)) return;
    this.lookSoon();
  }

  /** Something may have come for anybody. */
  private lookSoon(): void {
    this.wakes += 1;
    if (this.waiters.polls === 0) return;
    this.lookWanted = true;
    this.kick();
  }

  /** Nothing waits there: a claim has said so, and nobody has said otherwise since. */
  private knownEmpty(pair: Pair): boolean {
    if (pair.emptyAt !== this.wakes) return false;
    return this.notifications.connected || this.clock.monotonic() - pair.emptyAtMs < blindLookMs;
  }

  private kick(): void {
    if (this.running !== undefined || this.closed) return;
    this.running = this.run().finally(() => {
      this.running = undefined;
      // What came between the last look and here.
      if (this.failures === 0 && this.anythingToDo()) this.kick();
    });
  }

  private anythingToDo(): boolean {
    if (this.waiters.anyUrgent || this.leases.anyLost) return true;
    return this.lookWanted && this.clock.monotonic() >= this.lookAtMs;
  }

  private async run(): Promise<void> {
    // Polls that come in the same turn of the event loop go together.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (!this.closed) {
      if (this.leases.anyLost && !(await this.tryUndoLost())) return;
      const all = this.lookWanted && this.clock.monotonic() >= this.lookAtMs;
      if (all) {
        this.lookWanted = false;
        this.waiters.touchAll();
      } else if (this.lookWanted) this.lookLater();
      if (!this.waiters.anyUrgent) return;
      const plan = this.waiters.plan();
      // Others ask for all of them.
      if (plan === undefined) continue;
      const startedMs = this.clock.monotonic();
      try {
        await this.claim(plan);
        this.failures = 0;
      } catch (error) {
        this.failed(plan.pairs, error);
        return;
      }
      const tookMs = this.clock.monotonic() - startedMs;
      if (all && plan.pairs.length > fewPairs) this.lookAtMs = startedMs + tookMs / lookShare;
    }
  }

  private async tryUndoLost(): Promise<boolean> {
    try {
      await this.leases.undoLost();
      return true;
    } catch (error) {
      this.failed([], error);
      return false;
    }
  }

  private lookLater(): void {
    this.takeBackLook?.();
    const inMs = Math.max(this.lookAtMs - this.clock.monotonic(), 1);
    this.takeBackLook = this.clock.after(inMs, () => this.kick());
  }

  private async claim(plan: ClaimPlan): Promise<void> {
    const { wakes } = this;
    const claim = this.nextClaim();
    const rows = await this.ask(plan, claim).catch((error: unknown) => {
      this.waiters.over(plan);
      this.leases.lose(claim);
      throw error;
    });
    await this.take({ plan, claim, wakes }, rows);
  }

  private async ask(plan: ClaimPlan, claim: string): Promise<Row[]> {
    this.queueId ??= (await this.session.query(this.statements.polledQueue))[0]?.[0] ?? undefined;
    return await this.session.query(this.statements.claimRemote, claimValues(plan, claim));
  }

  private nextClaim(): string {
    this.claims += 1;
    return `${this.id}:${this.claims}`;
  }

  /** Hands out what a claim gave. @param claimed.wakes as they were when it began */
  private async take(
    claimed: { plan: ClaimPlan; claim: string; wakes: number },
    rows: readonly Row[],
  ): Promise<void> {
    const { plan, claim, wakes } = claimed;
    const definitions = await this.store
      .definitionsOf(rows.flatMap(([, , , , , , hash]) => hash ?? []))
      .catch((error: unknown) => {
        this.waiters.over(plan);
        this.leases.lose(claim);
        throw error;
      });
    await this.deliver(plan, rows, definitions, claim);
    this.settle(plan, rows, wakes);
    await this.leases.tellRescuers(rows.find(([, , id]) => id != null)?.[9]);
  }

  /** Hands the steps to the polls that they were taken for. */
  private async deliver(
    plan: ClaimPlan,
    rows: readonly Row[],
    definitions: ReadonlyMap<string, WorkflowDefinition>,
    claim: string,
  ): Promise<void> {
    const unwanted: string[] = [];
    const orphans: string[] = [];
    for (const [pair, place, id, taken, text, runId, hash, correlationId, priority] of rows) {
      if (id == null) continue;
      const poll = plan.places[Number(pair) - 1]?.[Number(place) - 1];
      const definition = definitions.get(hash ?? '');
      if (text == null || runId == null || definition === undefined) orphans.push(id);
      else if (poll === undefined || poll.over) unwanted.push(id);
      else {
        const kept = stepFromText(text, definition);
        const step = isApart(kept) ? await this.whole(kept, runId) : kept;
        // What is lost is told by the response time-out of its step.
        if (step === 'lost') continue;
        if (step === 'away' || poll.over) unwanted.push(id);
        else {
          this.leases.taken(id, claim);
          const asks = this.handOver.concerns(text) || isApart(step);
          const given = asks ? { ...step, input: this.handOver.inputOf(step) } : step;
          const run = { id: runId, correlationId: correlationId ?? undefined, priority: Number(priority) };
          poll.steps.push(polledStep(given, { ...run, definition }, poll.workerId, Number(taken)));
        }
      }
    }
    try {
      await this.giveBack(unwanted);
      if (orphans.length > 0) await this.session.query(this.statements.withdrawJobs, [orphans]);
    } catch (error) {
      // The response time-out of the steps sees to it.
      this.onTrouble(error);
    }
  }

  /** With documents that are kept apart; or why not: their store is away, or they are lost. */
  private async whole(step: Step, runId: string): Promise<Step | 'away' | 'lost'> {
    try {
      return await this.store.whole(step, runId);
    } catch (error) {
      this.onTrouble(error);
      return isLineshaftError(error, 'BLOB_UNAVAILABLE') ? 'away' : 'lost';
    }
  }

  /** Answers polls that have something or whose time is over, and notes where nothing is left. */
  private settle(plan: ClaimPlan, rows: readonly Row[], wakes: number): void {
    this.waiters.over(plan);
    const got = new Array<number>(plan.pairs.length).fill(0);
    const left = new Set<number>();
    for (const [pair, , id] of rows) {
      const n = Number(pair) - 1;
      if (id == null) left.add(n);
      else got[n] = (got[n] ?? 0) + 1;
    }
    for (const [n, pair] of plan.pairs.entries()) {
      const drained = (got[n] ?? 0) < (plan.counts[n] ?? 0);
      if (drained && left.has(n)) this.lookAgainAt(pair);
      else if (drained && pair.touched === plan.touched[n]) {
        pair.emptyAt = wakes;
        pair.emptyAtMs = this.clock.monotonic();
      }
      for (const poll of plan.places[n] ?? []) {
        if (poll.over) continue;
        if (poll.expired || poll.steps.length === poll.count || (drained && poll.steps.length > 0))
          this.answer(poll);
      }
      if (!left.has(n)) this.afterClaim(pair);
      else this.answerExpired(pair);
    }
  }

  /** Whoever came while the claim was under way is looked for, and whoever wants more than it could give. */
  private afterClaim(pair: Pair): void {
    if (this.knownEmpty(pair)) this.answerExpired(pair);
    else this.waiters.again(pair);
  }

  private answerExpired(pair: Pair): void {
    for (const poll of [...pair.polls]) if (poll.expired && poll.asked === 0) this.answer(poll);
  }

  /** Others have locked what may be left there: soon they are done. */
  private lookAgainAt(pair: Pair): void {
    pair.emptyAt = -1;
    this.clock.after(lockedPauseMs, () => {
      this.waiters.again(pair);
      this.kick();
    });
  }

  private failed(pairs: readonly Pair[], error: unknown): void {
    this.failures += 1;
    if (this.failures === 1) this.onTrouble(error);
    for (const pair of pairs) this.waiters.again(pair);
    for (const poll of [...this.waiters.waiting()])
      if (poll.expired || poll.steps.length > 0) this.answer(poll);
    if (this.closed || (this.waiters.polls === 0 && !this.leases.anyLost)) return;
    const pauseMs = Math.min(50 * 2 ** Math.min(this.failures, 6), errorPauseMaxMs);
    this.takeBackLook?.();
    this.takeBackLook = this.clock.after(pauseMs, () => this.kick());
  }

  /** Polls whose time is over. One that a claim may be about to give something waits for it. */
  private expire(polls: ReadonlySet<Poll>): void {
    for (const poll of polls) {
      const patient = poll.asked > 0 && !poll.expired;
      poll.expired = true;
      if (patient) {
        this.wheel.add(poll, claimPatienceMs);
        continue;
      }
      const looked = this.failures > 0 || (this.running === undefined && !this.waiters.anyUrgent);
      if (looked || poll.asked > 0 || this.knownEmpty(poll.pair)) this.answer(poll);
      else this.waiters.again(poll.pair);
    }
    if (this.waiters.anyUrgent) this.kick();
  }

  private answer(poll: Poll): void {
    if (poll.over) return;
    this.end(poll);
    for (const polled of poll.steps) this.leases.answered(polled, poll.confirmed);
    poll.resolve(poll.steps);
  }

  /** The client went away: what was taken for it goes to others. */
  private abandon(poll: Poll): void {
    if (poll.over) return;
    this.end(poll);
    const ids = poll.steps.map(({ step }) => step.id);
    // Where it fails, the response time-out of the steps sees to it.
    this.giveBack(ids).catch((error: unknown) => this.onTrouble(error));
    poll.resolve([]);
  }

  private end(poll: Poll): void {
    poll.over = true;
    poll.leave();
    this.wheel.remove(poll);
    this.waiters.remove(poll);
  }
}
