/**
 * The port of executors: how an attempt runs. An executor knows nothing of the database, of leases or of
 * retries; it is handed an attempt and hands back an outcome, exactly once, whatever happens to the code it
 * runs. Every adapter passes `executor.conformance.ts`. Which of them holds which limit: `create.ts`.
 */

import type { ErrorRecord } from '../../domain/attempt.ts';
import type { EnqueueRequest } from '../../domain/job-options.ts';
import type { PlainCopy } from '../../domain/plain-json.ts';
import type { JsonObject } from '../../domain/workflow/definition.ts';

export type ExecutorName = 'async' | 'thread' | 'process' | 'command';

/** One execution of a job, as an executor sees it: plain data that can cross a process border. */
export interface Attempt {
  readonly jobId: string;
  readonly kind: string;
  readonly queue: string;
  /** 1 for the first attempt. */
  readonly attempt: number;
  readonly maxAttempts: number;
  /** The payload as JSON text, upgraded to the kind's version; parsed where the handler runs. */
  readonly payloadText: string;
  /** The same where it is at hand as a value, which is copied for the handler; undefined: there is the text alone. */
  readonly payload?: JsonObject | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly meta: Readonly<Record<string, unknown>>;
  /** Time limit of this attempt in milliseconds, counted from when the handler starts; undefined: none. */
  readonly timeoutMs: number | undefined;
  /** Memory limit in bytes; undefined: none. Where it cannot be held the attempt fails (OPTION_INVALID). */
  readonly memoryBytes: number | undefined;
}

/** How an attempt ended. Exactly one per attempt. */
export type Outcome =
  | {
      readonly type: 'succeeded';
      readonly outputText: string | undefined;
      /** In place of a text: the output of an attempt whose payload was at hand. */
      readonly output?: PlainCopy | undefined;
      readonly enqueue: readonly EnqueueRequest[];
    }
  | {
      readonly type: 'failed';
      readonly error: ErrorRecord;
      readonly retryable: boolean;
      /** In how many ms the error says that its service may be asked again. */
      readonly retryAfterMs?: number;
    }
  | {
      readonly type: 'snoozed';
      readonly delayMs: number;
      /** The limit that is closed for so long; empty: the one that the job's own rate is of. */
      readonly closes?: string;
    }
  | { readonly type: 'cancelled'; readonly reason: string }
  /** It never started (the executor is stopping): the job goes back, no attempt is counted. */
  | { readonly type: 'returned' };

/** What an attempt says while it runs. */
export type AttemptEvent =
  | {
      readonly type: 'log';
      readonly level: 'debug' | 'info' | 'warn' | 'error';
      readonly message: string;
      readonly fields?: Readonly<Record<string, unknown>>;
    }
  | { readonly type: 'progress'; readonly current: number; readonly total: number | undefined }
  | { readonly type: 'heartbeat' }
  /** What the attempt has really cost of a limit; of an empty name: of the one that its rate is of. */
  | { readonly type: 'spent'; readonly amount: number; readonly limit: string };

/** Where the executor reports. Callbacks never throw and are never called after the outcome. */
export interface AttemptListener {
  onStart(attempt: Attempt): void;
  onEvent(attempt: Attempt, event: AttemptEvent): void;
  onOutcome(attempt: Attempt, outcome: Outcome): void;
}

export interface Executor {
  readonly name: ExecutorName;
  /** How many attempts it can run at once; the worker never hands it more than it asked for. */
  readonly concurrency: number;
  /** Makes ready for the given handlers; refuses those that it cannot run (HANDLER_INVALID). */
  start(): Promise<void>;
  /** Runs an attempt. Never throws: trouble is an outcome. */
  run(attempt: Attempt, listener: AttemptListener): void;
  /**
   * Asks a running attempt to end: AbortSignal first, then termination after `graceMs`. Unknown ids are
   * ignored.
   */
  cancel(jobId: string, reason: 'cancelled' | 'shutdown' | 'lease-lost', graceMs: number): void;
  /**
   * Ends everything that it started. Running attempts get the outcome `returned` if they could not end. Twice
   * is harmless.
   */
  stop(): Promise<void>;
}
