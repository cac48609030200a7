/**
 * One attempt while its handler runs, in whichever event loop that is: the worker's (`async`), a thread's or
 * a child's. It is the `JobContext` that the handler gets, and it sees to it that there is exactly one
 * outcome.
 *
 * Hot path: everything but the attempt and the listener is made when it is first asked for. What the executor
 * does to a run is in static methods, so that handlers see nothing but their `JobContext`.
 */

import { invalidOption, LineshaftError } from '../../domain/errors.ts';
import { anyNumber } from '../../domain/fields.ts';
import type { EnqueueOptions, EnqueueRequest } from '../../domain/job-options.ts';
import { copyPlain } from '../../domain/plain-json.ts';
import { validateQueueName } from '../../domain/queue.ts';
import type { Handler, JobContext, JobLog, ScheduledTick } from '../handler.ts';
import { clipFields, clipLine, enqueueMaxCount, LineBudget, outputMaxLength } from './bounds.ts';
import type { Interruption } from './outcomes.ts';
import {
  encodeOutput,
  failedWith,
  interruptedOutcome,
  interruptionError,
  succeededEmpty,
} from './outcomes.ts';
import type { Attempt, AttemptEvent, AttemptListener, Outcome } from './port.ts';

/** Who runs it; one for all runs of an executor. */
export interface RunHost {
  /** The attempt has ended: called once, before the listener's `onOutcome`. */
  onEnd(run: AttemptRun): void;
  /** The handler called `heartbeat()`. */
  onHeartbeat(run: AttemptRun): void;
}

type LogLevel = 'debug' | 'info' | 'warn' | 'error';

const longestSnoozeMs = 366 * 24 * 60 * 60 * 1_000;
const spentMax = 1_000_000_000;
const reasonMaxLength = 500;

export class AttemptRun implements JobContext {
  readonly #attempt: Attempt;
  readonly #listener: AttemptListener;
  readonly #host: RunHost;
  #ended = false;
  #startedAt = 0;
  /** What `snooze()`, `throttled()` or `cancel()` asked for; holds even if the handler catches what they throw. */
  #ending: Outcome | undefined;
  #interruption: Interruption | undefined;
  #controller: AbortController | undefined;
  #log: RunLog | undefined;
  #enqueued: string[] | undefined;
  #enqueuedLength = 0;
  /** Its payload was at hand, and its output is given back as it is. */
  #isCopied = false;

  constructor(attempt: Attempt, listener: AttemptListener, host: RunHost) {
    this.#attempt = attempt;
    this.#listener = listener;
    this.#host = host;
  }

  /** The attempt that a run is of. */
  static attemptOf(run: AttemptRun): Attempt {
    return run.#attempt;
  }

  /** Calls the handler. The outcome comes when it returns, or when the promise that it returns settles. */
  static execute(run: AttemptRun, handler: Handler): void {
    const attempt = run.#attempt;
    if (attempt.timeoutMs !== undefined) run.#startedAt = Date.now();
    run.#listener.onStart(attempt);
    run.#isCopied = attempt.payload !== undefined;
    let result: unknown;
    try {
      result = handler(payloadOf(attempt), run);
      if (isThenable(result)) {
        const settled = result instanceof Promise ? result : Promise.resolve(result);
        settled.then(
          (value: unknown) => run.#succeed(value),
          (thrown: unknown) => run.#fail(thrown),
        );
        return;
      }
    } catch (thrown) {
      run.#fail(thrown);
      return;
    }
    run.#succeed(result);
  }

  /**
   * Asks the handler to end: aborts its signal. What it throws from now on is the outcome of the
   * interruption.
   */
  static interrupt(run: AttemptRun, why: Interruption): void {
    if (run.#interruption !== undefined) return;
    run.#interruption = why;
    run.#controller?.abort(interruptionError(why, run.#attempt));
  }

  /** Ends the attempt with this outcome now; what the handler still does is ignored. */
  static end(run: AttemptRun, outcome: Outcome): void {
    run.#end(outcome);
  }

  get id(): string {
    return this.#attempt.jobId;
  }

  get kind(): string {
    return this.#attempt.kind;
  }

  get queue(): string {
    return this.#attempt.queue;
  }

  get attempt(): number {
    return this.#attempt.attempt;
  }

  get maxAttempts(): number {
    return this.#attempt.maxAttempts;
  }

  get labels(): Readonly<Record<string, string>> {
    return this.#attempt.labels;
  }

  get meta(): Readonly<Record<string, unknown>> {
    return this.#attempt.meta;
  }

  get schedule(): ScheduledTick | undefined {
    const mark = this.#attempt.meta['schedule'] as
      | { name: string; tick: string; missed?: true; asked?: true }
      | undefined;
    if (mark === undefined || this.#attempt.labels['schedule'] !== mark.name) return undefined;
    return {
      name: mark.name,
      tick: new Date(mark.tick),
      missed: mark.missed === true,
      asked: mark.asked === true,
    };
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      const why = this.#interruption;
      if (why !== undefined) this.#controller.abort(interruptionError(why, this.#attempt));
    }
    return this.#controller.signal;
  }

  get deadline(): Date | undefined {
    const { timeoutMs } = this.#attempt;
    return timeoutMs === undefined ? undefined : new Date(this.#startedAt + timeoutMs);
  }

  get log(): JobLog {
    this.#log ??= new RunLog((event) => this.#report(event));
    return this.#log;
  }

  progress(current: number, total?: number): void {
    // A share of nothing (0 / 0) is no reason to fail a job: it is not shown, and that is all.
    if (!Number.isFinite(current)) return;
    this.#report({ type: 'progress', current, total: Number.isFinite(total) ? total : undefined });
  }

  heartbeat(): void {
    if (this.#ended) return;
    if (this.#attempt.timeoutMs !== undefined) this.#startedAt = Date.now();
    this.#host.onHeartbeat(this);
    this.#report({ type: 'heartbeat' });
  }

  snooze(delayMs: number): never {
    if (!(delayMs >= 0 && delayMs <= longestSnoozeMs)) {
      throw invalidOption(
        'snooze(delayMs)',
        delayMs,
        `a number of milliseconds from 0 to ${longestSnoozeMs}`,
      );
    }
    this.#ending ??= { type: 'snoozed', delayMs: Math.round(delayMs) };
    throw new AttemptEnd('snooze');
  }

  throttled(untilOrMs: Date | number, limit?: string): never {
    const delayMs = untilOrMs instanceof Date ? Math.max(untilOrMs.getTime() - Date.now(), 0) : untilOrMs;
    anyNumber(delayMs, 'throttled(untilOrMs)', 0, longestSnoozeMs);
    const closes = limit === undefined ? '' : validateQueueName(limit, 'throttled(limit)');
    this.#ending ??= { type: 'snoozed', delayMs: Math.round(delayMs), closes };
    throw new AttemptEnd('throttled');
  }

  spent(amount: number, limit?: string): void {
    anyNumber(amount, 'spent(amount)', 0, spentMax);
    const name = limit === undefined ? '' : validateQueueName(limit, 'spent(limit)');
    this.#report({ type: 'spent', amount, limit: name });
  }

  cancel(reason?: string): never {
    const text = typeof reason === 'string' && reason !== '' ? reason : 'cancelled by its handler';
    this.#ending ??= { type: 'cancelled', reason: text.slice(0, reasonMaxLength).toWellFormed() };
    throw new AttemptEnd('cancel');
  }

  enqueue(kind: string, payload?: unknown, options?: EnqueueOptions): void {
    if (this.#ended) {
      // Thrown at the caller, who has nobody else to hear it: the outcome has been given already.
      throw new LineshaftError('CLOSED', {
        message: `job.enqueue('${kind}') came after its attempt had ended`,
      });
    }
    if (typeof kind !== 'string' || kind === '')
      throw invalidOption('kind', kind, 'a text of at least 1 character');
    const text = encodeRequest(kind, payload, options);
    this.#enqueued ??= [];
    this.#enqueuedLength += text.length;
    if (this.#enqueued.length >= enqueueMaxCount || this.#enqueuedLength > outputMaxLength) {
      throw new LineshaftError('OPTION_INVALID', {
        message: `one attempt may enqueue at most ${enqueueMaxCount} jobs and ${outputMaxLength} characters`,
      });
    }
    this.#enqueued.push(text);
  }

  #report(event: AttemptEvent): void {
    if (!this.#ended) this.#listener.onEvent(this.#attempt, event);
  }

  #succeed(value: unknown): void {
    if (this.#ended) return;
    if (this.#ending !== undefined) {
      this.#fail(undefined);
    } else if (value === undefined && this.#enqueued === undefined) {
      this.#end(succeededEmpty);
    } else {
      this.#succeedWith(value);
    }
  }

  #succeedWith(value: unknown): void {
    let outcome: Outcome;
    try {
      const enqueue = (this.#enqueued ?? []).map((text) => JSON.parse(text) as EnqueueRequest);
      // Nobody needs the text of what a step gives back to a run that is decided in this process.
      const output = this.#isCopied ? copyPlain(value) : undefined;
      outcome =
        output === undefined || output.lengthMost > outputMaxLength
          ? { type: 'succeeded', outputText: encodeOutput(value), enqueue }
          : { type: 'succeeded', outputText: undefined, output, enqueue };
    } catch (thrown) {
      outcome = failedWith(thrown);
    }
    this.#end(outcome);
  }

  #fail(thrown: unknown): void {
    if (this.#ended) return;
    if (this.#interruption !== undefined) {
      this.#end(interruptedOutcome(this.#interruption, this.#attempt));
    } else {
      this.#end(this.#ending ?? failedWith(thrown));
    }
  }

  #end(outcome: Outcome): void {
    if (this.#ended) return;
    this.#log?.reportDropped();
    this.#ended = true;
    this.#host.onEnd(this);
    this.#listener.onOutcome(this.#attempt, outcome);
  }
}

/** What `snooze()`, `throttled()` and `cancel()` throw, to leave the handler. */
class AttemptEnd extends Error {
  override readonly name = 'AttemptEnd';

  constructor(method: 'snooze' | 'throttled' | 'cancel') {
    super(`job.${method}() ends the attempt by throwing this; let it pass`);
  }
}

/** The log of one attempt: bounded in line length, fields and lines a second. */
class RunLog implements JobLog {
  readonly #report: (event: AttemptEvent) => void;
  readonly #budget = new LineBudget();

  constructor(report: (event: AttemptEvent) => void) {
    this.#report = report;
  }

  debug(message: string, fields?: Readonly<Record<string, unknown>>): void {
    this.#write('debug', message, fields);
  }

  info(message: string, fields?: Readonly<Record<string, unknown>>): void {
    this.#write('info', message, fields);
  }

  warn(message: string, fields?: Readonly<Record<string, unknown>>): void {
    this.#write('warn', message, fields);
  }

  error(message: string, fields?: Readonly<Record<string, unknown>>): void {
    this.#write('error', message, fields);
  }

  /** Says how many lines were dropped since it was called last. */
  reportDropped(): void {
    const dropped = this.#budget.takeDropped();
    if (dropped > 0) this.#report({ type: 'log', level: 'warn', message: `${dropped} log lines dropped` });
  }

  #write(level: LogLevel, message: string, fields: Readonly<Record<string, unknown>> | undefined): void {
    if (!this.#budget.take(performance.now())) return;
    this.reportDropped();
    const text = clipLine(String(message));
    this.#report(
      fields === undefined
        ? { type: 'log', level, message: text }
        : { type: 'log', level, message: text, fields: clipFields(fields) },
    );
  }
}

/** One of the handler's own. */
function payloadOf(attempt: Attempt): unknown {
  const copy = attempt.payload === undefined ? undefined : copyPlain(attempt.payload);
  return copy === undefined ? parsePayload(attempt.payloadText) : copy.value;
}

function parsePayload(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new LineshaftError('PAYLOAD_INVALID', { message: 'the stored payload is not JSON', cause });
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  if (typeof value !== 'object' || value === null) return false;
  return value instanceof Promise || typeof (value as { then?: unknown }).then === 'function';
}

function encodeRequest(kind: string, payload: unknown, options: EnqueueOptions | undefined): string {
  try {
    if (typeof payload === 'function' || typeof payload === 'symbol')
      throw new TypeError(`a ${typeof payload}`);
    return JSON.stringify({ ...options, kind, payload });
  } catch (cause) {
    throw new LineshaftError('PAYLOAD_INVALID', {
      message: `job.enqueue('${kind}'): the payload is not JSON`,
      cause,
    });
  }
}
