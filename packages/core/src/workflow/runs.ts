/**
 * The one way in which runs change. A change is optimistic: it is decided upon what is in memory, and written if the run is
 * still of the revision that was read; else the run is read anew and it is decided again. Changes that arrive while a write
 * is in flight go together in the next, many runs in one statement (group commit). Nothing here decides: see
 * `domain/workflow/decide.ts`.
 */

import { LineshaftError } from '../domain/errors.ts';
import { admit } from '../domain/workflow/admission.ts';
import { decide } from '../domain/workflow/decide.ts';
import type { DecideContext, RunEvent } from '../domain/workflow/decision.ts';
import type { Run, StartRequest } from '../domain/workflow/run.ts';
import { applyRows, type RunState, readState } from '../domain/workflow/state.ts';
import { hasEnded } from '../domain/workflow/status.ts';
import type { Contexts } from './decide-context.ts';
import type { InputAtHand, WantedStep } from './open-steps.ts';
import { type Asked, type DecideWith, type OpenRequests, Request } from './request.ts';
import { runNotFound } from './run-book.ts';
import type { RunCache } from './run-cache.ts';
import type { RunStarter } from './run-starter.ts';
import type { LoadedRun, Mark, RunStore } from './run-store.ts';
import { RunWork } from './run-work.ts';
import type { EndingStep, StepTaker } from './step-runs.ts';
import { type TurnHost, writeTurn } from './write-turn.ts';

export type { DecideWith } from './request.ts';

export interface RunsParts extends TurnHost {
  readonly store: RunStore;
  readonly cache: RunCache;
  readonly contexts: Contexts;
  readonly starter: RunStarter;
  readonly newId: () => string;
  /** What runs have not been told, and must hear before it is decided at this time. */
  readonly unheard: (
    states: readonly RunState[],
    now: number,
  ) => Promise<ReadonlyMap<string, readonly RunEvent[]>>;
  /** Makes known what `decide` may ask for: definitions of tasks, domains with workers. */
  readonly prepare: (states: readonly RunState[], starting: readonly StartRequest[]) => Promise<void>;
}

/** A run of a turn. `marks`: undefined where it was not compared with the database. */
interface Found {
  readonly state: RunState;
  readonly marks: readonly Mark[] | undefined;
}

interface Starting {
  readonly start: StartRequest;
  readonly request: Request;
}

/** Runs in one turn. A worker has about twice as many steps in hand: in one turn with all of them nothing is decided while it is written. */
const turnMost = 250;
/** While two are written the next is decided. */
const turnsMost = 3;
/** Requests that are worth a turn beside another. */
const besideLeast = 50;
/** So often others may be faster before a caller hears that the run is busy. */
const triesMost = 50;
/** Runs that one decision begins, with those that they begin at once: more is a recursion that branches. */
const begunMost = 20_000;
/** What is left to decide at once is decided in the same turn so often; the rest comes in the next. */
const againMost = 4;

/** Runs that are read ahead by one statement, and how much of their documents is read before the rest has to wait, as JSON. */
const aheadBatch = 100;
const aheadBytes = 16 * 1024 * 1024;

/** `bytes`: of its documents, as they were read. */
interface ReadRun {
  readonly state: RunState;
  readonly bytes: number;
}

const nothing: readonly never[] = [];

export class Runs {
  private readonly parts: RunsParts;
  private pending = new Map<string, Request[]>();
  private starting: Starting[] = [];
  private turning: Promise<void> | undefined;
  /** Turns that are decided, and written or on their way to it; at most `turnsMost`. */
  private readonly inFlight = new Set<Promise<void>>();
  /** Runs of those turns: nothing else is decided about them meanwhile. */
  private readonly busy = new Set<string>();
  private onNews: (() => void) | undefined;
  private readonly open: OpenRequests = { count: 0 };

  constructor(parts: RunsParts) {
    this.parts = parts;
  }

  /** Requests that are not written yet. */
  get backlog(): number {
    return this.open.count;
  }

  /**
   * Changes a run: `decideWith` is given the run as the database has it, perhaps several times, and what it decides is written.
   * What it throws is thrown, and nothing is written.
   * @returns the run as it is then
   * @throws LineshaftError RUN_NOT_FOUND, RUN_BUSY, DATABASE_UNAVAILABLE (then it may have been written)
   */
  change(runId: string, decideWith: DecideWith): Promise<Run> {
    return this.request(runId, { decideWith, verify: true });
  }

  /**
   * Tells a run what has happened to it, and goes on with it. Resolves when what follows is written.
   * @param marks that say the same; they go when it is written
   * @throws LineshaftError RUN_NOT_FOUND, RUN_BUSY, DATABASE_UNAVAILABLE
   */
  tell(runId: string, events: readonly RunEvent[], marks: readonly number[] = []): Promise<Run> {
    return this.request(runId, { events, marks });
  }

  /**
   * Tells a run that a step has ended whose job its worker still has: the job ends in the write in which the run goes on. Where
   * that can't be done at once (others have changed the run, the job has moved on) it is left to its worker.
   * @param taker may be given what follows
   */
  end(runId: string, step: EndingStep, taker: StepTaker): void {
    this.enqueue(new Request(runId, { ending: step, taker }, this.open));
    this.kick();
  }

  /** Looks at a run: what was marked, what time has brought, what is left to do. @throws as `tell` */
  look(runId: string): Promise<Run> {
    return this.request(runId, { events: [{ type: 'time' }], verify: true });
  }

  /** Starts a run; resolves when it is durable. @throws LineshaftError WORKFLOW_NOT_FOUND, DEFINITION_INVALID, OPTION_INVALID */
  start(start: StartRequest, runId: string = this.parts.newId()): Promise<Run> {
    return new Promise((resolve, reject) => {
      this.starting.push({ start, request: new Request(runId, {}, this.open, { resolve, reject }) });
      this.kick();
    });
  }

  /**
   * What steps are given of whose runs somebody will soon tell something: the runs are read where they are not in memory, many at
   * once, so that it need not be waited for when it is decided. Without those of which something is being written, that are older
   * in memory than is wanted, or that can't be had. @throws LineshaftError DATABASE_UNAVAILABLE
   */
  async inputsAtHand(wanted: readonly WantedStep[]): Promise<ReadonlyMap<string, InputAtHand>> {
    const read = await this.readAhead(new Set(wanted.map(({ runId }) => runId)));
    const found = new Map<string, InputAtHand>();
    // Nothing is waited for from here on: what is decided meanwhile would change the runs, and may not come to be written.
    for (const { stepId, runId, revision } of wanted) {
      if (this.busy.has(runId)) continue;
      const state = this.parts.cache.get(runId) ?? read.get(runId)?.state;
      const step = state?.byId.get(stepId);
      if (state === undefined || step === undefined || state.run.revision < revision) continue;
      found.set(stepId, { input: step.input, bytes: read.get(runId)?.bytes ?? 0 });
    }
    return found;
  }

  /** Those of the runs that are not in memory, as far as there is room. */
  private async readAhead(runIds: ReadonlySet<string>): Promise<ReadonlyMap<string, ReadRun>> {
    const { cache, store } = this.parts;
    const unknown = [...runIds].filter((id) => !this.busy.has(id) && cache.get(id) === undefined);
    const read = new Map<string, ReadRun>();
    let bytesLeft = aheadBytes;
    for (let from = 0; from < unknown.length && bytesLeft > 0; from += aheadBatch) {
      const part = unknown.slice(from, from + aheadBatch);
      for (const { id, run, steps, bytes, trouble } of await store.load(new Map(part.map((id) => [id, 0])))) {
        bytesLeft -= bytes;
        if (run === undefined || trouble !== undefined) continue;
        const state = readState(run, steps);
        read.set(id, { state, bytes });
        // What came into memory meanwhile is as new, or is about to be.
        if (!hasEnded(run.status) && !this.busy.has(id) && cache.get(id) === undefined)
          cache.put(state, bytes);
      }
    }
    return read;
  }

  /** Resolves when all that was asked for so far is written or refused. */
  async settled(): Promise<void> {
    while (this.turning !== undefined) await this.turning;
  }

  private request(runId: string, asked: Asked): Promise<Run> {
    return new Promise((resolve, reject) => {
      this.enqueue(new Request(runId, asked, this.open, { resolve, reject }));
      this.kick();
    });
  }

  private enqueue(request: Request): void {
    const list = this.pending.get(request.runId);
    if (list === undefined) this.pending.set(request.runId, [request]);
    else list.push(request);
  }

  private kick(): void {
    this.turning ??= this.turns();
    this.onNews?.();
  }

  private async turns(): Promise<void> {
    // What comes in the same turn of the event loop goes together.
    await new Promise<void>((resolve) => setImmediate(resolve));
    for (;;) {
      if (this.isTurn() && this.inFlight.size > 0) await this.lastIsSent();
      const batch = this.isTurn() ? this.takeBatch() : undefined;
      if (batch !== undefined) this.begin(batch, this.starting.splice(0, turnMost));
      else if (this.inFlight.size === 0) break;
      else await this.news();
    }
    // In the same breath as the look above: what comes a moment later must begin turns of its own.
    this.turning = undefined;
  }

  /** The database would wait for the rest of what was decided last until the next turn is decided. */
  private async lastIsSent(): Promise<void> {
    // Until then it is on its way, if nothing had to be read.
    await new Promise<void>((resolve) => setImmediate(resolve));
    await this.parts.store.sent();
  }

  /** Whether there is enough to do for another turn: beside one that is written it must be worth a statement of its own. */
  private isTurn(): boolean {
    const { size } = this.inFlight;
    const waiting = this.pending.size + this.starting.length;
    return waiting > 0 && (size === 0 || (size < turnsMost && waiting >= besideLeast));
  }

  /** Resolves when a turn has ended, or something is asked for. */
  private async news(): Promise<void> {
    const asked = new Promise<void>((resolve) => {
      this.onNews = resolve;
    });
    await Promise.race([...this.inFlight, asked]);
    this.onNews = undefined;
  }

  private begin(batch: ReadonlyMap<string, Request[]>, starting: readonly Starting[]): void {
    for (const runId of batch.keys()) this.busy.add(runId);
    const turn: Promise<void> = this.turn(batch, starting)
      .catch((error: unknown) => {
        // The database is away, most likely: callers hear of it, and marks wait for whoever looks next.
        for (const requests of batch.values()) for (const request of requests) request.reject(error);
        for (const { request } of starting) request.reject(error);
        // Some of it may have been decided and not written.
        for (const runId of batch.keys()) this.parts.cache.drop(runId);
      })
      .then(() => {
        for (const runId of batch.keys()) this.busy.delete(runId);
        this.inFlight.delete(turn);
      });
    this.inFlight.add(turn);
  }

  /** Requests of runs that nothing is decided about at this moment; undefined: there are none. */
  private takeBatch(): Map<string, Request[]> | undefined {
    const batch = new Map<string, Request[]>();
    for (const [runId, requests] of this.pending) {
      if (batch.size === turnMost) break;
      if (this.busy.has(runId)) continue;
      batch.set(runId, requests);
      this.pending.delete(runId);
    }
    return batch.size + this.starting.length > 0 ? batch : undefined;
  }

  private async turn(batch: ReadonlyMap<string, Request[]>, starting: readonly Starting[]): Promise<void> {
    const found = await this.read(batch);
    const context = await this.parts.contexts.next();
    if (starting.length > 0) await this.parts.starter.refresh();
    const works: RunWork[] = [];
    const states = [...found.values()].map(({ state }) => state);
    await this.parts.prepare(
      states,
      starting.map(({ start }) => start),
    );
    const unheard = await this.parts.unheard(states, context.now);
    for (const [runId, requests] of batch) {
      const at = found.get(runId);
      if (at === undefined) {
        for (const request of requests) request.reject(runNotFound(runId));
        continue;
      }
      const work = this.decided(runId, requests, () =>
        this.decideOne(at, requests, context, unheard.get(runId)),
      );
      if (work !== undefined) works.push(work);
    }
    await Promise.all(starting.map((each) => this.beginRun(each, works, context)));
    for (const work of works)
      if (work.merged.starts.length > 0) await this.startChildren(work, context, { left: begunMost });
    const again = await writeTurn(this.parts, works);
    for (const work of again) this.tryAgain(work);
    for (const work of works) if (work.merged.again) this.goOn(work);
  }

  /** The runs of a turn; read are those that are not at hand, or must be compared with the database. */
  private async read(batch: ReadonlyMap<string, Request[]>): Promise<Map<string, Found>> {
    const { cache, store } = this.parts;
    const found = new Map<string, Found>();
    const known = new Map<string, number>();
    for (const [runId, requests] of batch) {
      const state = cache.get(runId);
      if (state !== undefined) found.set(runId, { state, marks: undefined });
      const trusted = !requests.some((request) => request.verify);
      if (state !== undefined && trusted && requests.every(({ events }) => !isNews(state, events))) continue;
      known.set(runId, state?.run.revision ?? 0);
    }
    if (known.size === 0) return found;
    const loaded = await store.load(known);
    const there = new Set(loaded.map(({ id }) => id));
    for (const each of loaded) {
      if (each.trouble === undefined)
        found.set(each.id, { state: this.takeIn(each, found.get(each.id)?.state), marks: each.marks });
      else this.leave(each.id, batch.get(each.id) ?? [], found, each.trouble);
    }
    for (const runId of known.keys()) {
      if (there.has(runId)) continue;
      found.delete(runId);
      cache.drop(runId);
    }
    return found;
  }

  /** It can't be read now: who asks hears why, and its marks wait. */
  private leave(
    runId: string,
    requests: readonly Request[],
    found: Map<string, Found>,
    trouble: unknown,
  ): void {
    found.delete(runId);
    this.parts.cache.drop(runId);
    for (const request of requests) request.reject(trouble);
  }

  /** @param before as it is at hand, though others may have taken its place in the cache meanwhile */
  private takeIn({ id, run, steps, whole, bytes }: LoadedRun, before: RunState | undefined): RunState {
    const { cache } = this.parts;
    let state = before;
    if (run === undefined && state !== undefined) return state;
    if (run === undefined) throw runNotFound(id);
    if (state === undefined || whole) {
      state = readState(run, steps);
      cache.drop(id);
    } else {
      applyRows(state, run, steps, []);
      state.run = run;
      state.origins.clear();
    }
    cache.put(state, bytes);
    return state;
  }

  /** Where a decision fails for a reason that nobody knows, it is that of one run, and the others go on. */
  private decided(runId: string, requests: readonly Request[], decideIt: () => RunWork): RunWork | undefined {
    try {
      return decideIt();
    } catch (error) {
      this.parts.cache.drop(runId);
      this.parts.onTrouble('decide', error);
      for (const request of requests) request.reject(error);
      return undefined;
    }
  }

  private decideOne(
    { state, marks }: Found,
    requests: readonly Request[],
    context: DecideContext,
    unheard: readonly RunEvent[] = nothing,
  ): RunWork {
    const work = new RunWork(state, { verified: marks !== undefined, requests });
    // Lists that nobody else has where something is added: there may be thousands of requests.
    let events: RunEvent[] = [...unheard, ...(marks?.map(({ event }) => event) ?? nothing)];
    const decided = marks?.map(({ id }) => id) ?? [];
    work.decided = decided;
    // Somebody asks what follows from events, though there may be none.
    let isAsked = false;
    for (const request of requests) {
      decided.push(...request.marks);
      if (request.decideWith === undefined) {
        isAsked = true;
        events.push(...request.events);
        continue;
      }
      if (isAsked || events.length > 0) this.decideEvents(work, events, context);
      events = [];
      try {
        work.merged.take(request.decideWith(state, context));
      } catch (error) {
        request.reject(error);
        work.requests = work.requests.filter((each) => each !== request);
      }
    }
    if (isAsked || events.length > 0) this.decideEvents(work, events, context);
    for (let n = 0; n < againMost && work.merged.again; n += 1) work.merged.take(decide(state, [], context));
    return work;
  }

  private decideEvents(work: RunWork, events: readonly RunEvent[], context: DecideContext): void {
    if (events.some(({ type }) => type === 'admitted')) work.merged.take(admit(work.state, context));
    work.merged.take(decide(work.state, events, context));
  }

  private async beginRun(starting: Starting, works: RunWork[], context: DecideContext): Promise<void> {
    const { start, request } = starting;
    try {
      const { runId } = request;
      const work = await this.parts.starter.begin(start, { runId, parent: undefined, context });
      work.requests = [request];
      works.push(work);
    } catch (error) {
      request.reject(error);
    }
  }

  /** Makes the runs that a run starts, and theirs; what can't be started is told to the step that wanted it. */
  private async startChildren(work: RunWork, context: DecideContext, room: { left: number }): Promise<void> {
    const { starter } = this.parts;
    const { merged, state } = work;
    if (merged.starts.length > 0) await starter.refresh();
    while (merged.starts.length > 0) {
      const heard: RunEvent[] = [];
      for (const start of merged.takeStarts()) {
        const { stepId, runId } = start;
        try {
          room.left -= 1;
          if (room.left < 0) throw tooMany();
          const child = await starter.child(start, state.run, context);
          if (typeof child !== 'string') work.begins(child);
          const startedId = typeof child === 'string' ? child : runId;
          if (stepId !== undefined) heard.push({ type: 'run-started', stepId, runId: startedId });
        } catch (error) {
          if (stepId === undefined) this.parts.onTrouble('failure workflow', error);
          else heard.push({ type: 'run-refused', stepId, reason: messageOf(error) });
        }
      }
      if (heard.length > 0) merged.take(decide(state, heard, context));
    }
    for (const child of work.begun) await this.startChildren(child, context, room);
  }

  /** Others were faster: what was asked for is asked again, of the run as it is by now. */
  private tryAgain(work: RunWork): void {
    for (const request of work.requests) {
      request.tries += 1;
      request.verify = true;
      if (request.tries < triesMost) this.enqueue(request);
      else {
        const message = `others changed run '${work.runId}' ${triesMost} times while this was decided`;
        request.reject(new LineshaftError('RUN_BUSY', { message, details: { runId: work.runId } }));
      }
    }
  }

  private goOn(work: RunWork): void {
    if (hasEnded(work.state.run.status)) return;
    this.tell(work.runId, []).catch((error: unknown) => this.parts.onTrouble('advance', error));
  }
}

/** An event of a step that is not known in memory. */
function isNews(state: RunState, events: readonly RunEvent[]): boolean {
  return events.some((event) => 'stepId' in event && !state.byId.has(event.stepId));
}

function tooMany(): LineshaftError {
  const message = `more than ${begunMost} runs would begin at once, each in a step of another`;
  return new LineshaftError('RUN_TOO_DEEP', { message, details: { begunMost } });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
