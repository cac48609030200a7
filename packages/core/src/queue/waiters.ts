/**
 * Waiting for jobs to finish: by what the completions announce, and one loop that asks for all waiters of the
 * process together, in case an announcement was missed.
 */

import type { ErrorRecord } from '../domain/attempt.ts';
import type { Clock } from '../domain/clock.ts';
import { invalidOption, LineshaftError } from '../domain/errors.ts';
import { maxDurationMs, wholeNumber } from '../domain/fields.ts';
import { isUuid } from '../domain/uuid.ts';
import { Loop } from '../services/service.ts';
import { type Route, Session } from '../store/session.ts';
import type { BoundStatements } from '../store/statements.ts';
import { readEntry } from './history-entry.ts';
import type { Notifications } from './notifications.ts';

/** How a job that was waited for ended. */
export interface FinishedJob {
  readonly id: string;
  /** `forgotten`: it is neither alive nor in history: never enqueued, or finished and its retention has ended. */
  readonly state: 'succeeded' | 'failed' | 'cancelled' | 'forgotten';
  /** What the handler returned; undefined without output. */
  readonly output: unknown;
  /** Why it failed, the last attempt; undefined otherwise. */
  readonly error: ErrorRecord | undefined;
}

interface Wait {
  readonly pending: Set<string>;
  readonly finished: Map<string, FinishedJob>;
  readonly settle: () => void;
  readonly fail: (error: unknown) => void;
}

/** Ids in one question to the database. */
const askMax = 1_000;
const pollConnectedMs = 2_000;
const pollBlindMs = 50;
/** Asking takes at most this share of the time. */
const askShare = 0.1;
const registrationMs = 30_000;

export class Waiters {
  private readonly session: Session;
  private readonly statements: BoundStatements;
  private readonly notifications: Notifications;
  private readonly clock: Clock;
  private readonly id: string;
  private readonly waits = new Set<Wait>();
  private readonly asked = new Set<string>();
  private askAll = false;
  private loop: Loop | undefined;
  private unlisten: (() => void) | undefined;
  private registeredUntilMs = 0;
  private askAllAtMs = 0;
  private pauseMs = pollBlindMs;
  private closed = false;

  constructor(options: {
    route: Route;
    statements: BoundStatements;
    notifications: Notifications;
    clock: Clock;
    id: string;
  }) {
    this.session = new Session(options.route, 'hot');
    this.statements = options.statements;
    this.notifications = options.notifications;
    this.clock = options.clock;
    this.id = options.id;
  }

  /**
   * Resolves when all jobs have finished, in the order of the ids.
   * @throws LineshaftError WAIT_TIMEOUT, with the number of jobs that have not finished and the first of them;
   * OPTION_INVALID, CLOSED
   */
  async waitFor(
    ids: readonly string[],
    timeoutMs: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<FinishedJob[]> {
    for (const id of ids) if (typeof id !== 'string' || !isUuid(id)) throw invalidOption('id', id, 'a UUID');
    if (timeoutMs !== undefined) wholeNumber(timeoutMs, 'timeoutMs', 0, maxDurationMs);
    signal?.throwIfAborted();
    if (this.closed) throw closedError();
    if (ids.length === 0) return [];
    const finished = new Map<string, FinishedJob>();
    await new Promise<void>((resolve, reject) => {
      const leave = (how: () => void): void => {
        takeBack?.();
        signal?.removeEventListener('abort', aborted);
        this.waits.delete(wait);
        how();
      };
      const aborted = (): void => leave(() => reject(signal?.reason));
      const wait: Wait = {
        pending: new Set(ids.map((id) => id.toLowerCase())),
        finished,
        settle: () => leave(resolve),
        fail: (error) => leave(() => reject(error)),
      };
      const takeBack =
        timeoutMs === undefined
          ? undefined
          : this.clock.after(timeoutMs, () =>
              leave(() => reject(timeoutError(timeoutMs, wait.pending, ids.length))),
            );
      signal?.addEventListener('abort', aborted);
      this.waits.add(wait);
      this.pauseMs = pollBlindMs;
      for (const id of wait.pending) this.asked.add(id);
      this.begin();
    });
    return ids.map((id) => {
      const job = finished.get(id.toLowerCase());
      return { state: 'forgotten', output: undefined, error: undefined, ...job, id };
    });
  }

  /** Ends what still waits with CLOSED. */
  async close(): Promise<void> {
    this.closed = true;
    for (const wait of [...this.waits]) wait.fail(closedError());
    this.unlisten?.();
    const { loop } = this;
    this.loop = undefined;
    await loop?.stop();
    await this.session.close();
  }

  private begin(): void {
    if (this.loop === undefined) {
      this.loop = new Loop({
        name: 'waiters',
        clock: this.clock,
        round: () => this.round(),
        onError: () => {},
      });
      this.unlisten = this.notifications.add({
        onMessage: (type, body) => this.announced(type, body),
        onConnected: () => this.lookAgain(),
      });
      this.loop.start();
    }
    this.loop.wake();
  }

  private announced(type: string, body: string): void {
    if (type !== 'd' || this.waits.size === 0) return;
    if (body === '') this.askAll = true;
    for (const id of body.split(',')) if (this.isAwaited(id)) this.asked.add(id);
    if (this.askAll || this.asked.size > 0) this.loop?.wake();
  }

  private lookAgain(): void {
    this.askAll = true;
    this.loop?.wake();
  }

  private isAwaited(id: string): boolean {
    for (const wait of this.waits) if (wait.pending.has(id)) return true;
    return false;
  }

  private async round(): Promise<number> {
    if (this.waits.size === 0) {
      this.asked.clear();
      if (this.registeredUntilMs > 0) {
        this.registeredUntilMs = 0;
        await this.session.query(this.statements.unregisterWaiter, [this.id]);
      }
      return 60_000;
    }
    const startedMs = this.clock.monotonic();
    await this.register(startedMs);
    const all = this.askAll || startedMs >= this.askAllAtMs;
    this.askAll = false;
    const ids = all ? [...new Set([...this.waits].flatMap((wait) => [...wait.pending]))] : [...this.asked];
    this.asked.clear();
    try {
      for (let start = 0; start < ids.length; start += askMax)
        await this.ask(ids.slice(start, start + askMax));
    } catch (error) {
      this.askAll = true;
      throw error;
    }
    const tookMs = this.clock.monotonic() - startedMs;
    // A completion that began before this process said that it waits is not announced: look soon, then ever later.
    this.pauseMs = this.notifications.connected ? Math.min(2 * this.pauseMs, pollConnectedMs) : pollBlindMs;
    if (all) this.askAllAtMs = this.clock.monotonic() + Math.max(this.pauseMs, tookMs / askShare);
    return Math.max(this.askAllAtMs - this.clock.monotonic(), 5);
  }

  /** While this process waits, completions are announced. */
  private async register(now: number): Promise<void> {
    if (now < this.registeredUntilMs - registrationMs / 2) return;
    await this.session.query(this.statements.registerWaiter, [this.id, registrationMs]);
    this.registeredUntilMs = now + registrationMs;
  }

  private async ask(ids: readonly string[]): Promise<void> {
    for (const [id, state, entry, errors] of await this.session.query(this.statements.finishedJobs, [
      `{${ids.join(',')}}`,
    ])) {
      if (id === null || id === undefined) continue;
      const job = finishedJob(id, state as FinishedJob['state'], entry ?? null, errors ?? null);
      for (const wait of [...this.waits]) {
        if (!wait.pending.delete(id)) continue;
        wait.finished.set(id, job);
        if (wait.pending.size === 0) wait.settle();
      }
    }
  }
}

/** Reads a row of `finished_jobs.sql`. */
export function finishedJob(
  id: string,
  state: FinishedJob['state'],
  entry: string | null,
  errorsText: string | null,
): FinishedJob {
  const errors = errorsText === null ? [] : (JSON.parse(errorsText) as ErrorRecord[]);
  const output = entry === null ? undefined : readEntry(id, entry).output;
  return { id, state, output, error: state === 'failed' ? errors.at(-1) : undefined };
}

function closedError(): LineshaftError {
  return new LineshaftError('CLOSED', {
    message: 'the waiting was ended because its Lineshaft object was closed',
  });
}

function timeoutError(timeoutMs: number, pending: ReadonlySet<string>, count: number): LineshaftError {
  const [first = ''] = pending;
  return new LineshaftError('WAIT_TIMEOUT', {
    message: `${pending.size} of ${count} jobs have not finished within ${timeoutMs} ms, among them ${first}`,
    details: { pending: [...pending].slice(0, 100), count: pending.size },
  });
}
