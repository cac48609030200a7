/** What a caller may say of a job when it is enqueued, and what the queue answers. Types only; see `validate-job.ts`. */

import type { GivenAmounts } from './amounts.ts';
import type { Under } from './limit.ts';

/** How long to wait between attempts. All delays in milliseconds. */
export interface Backoff {
  /** `fixed`: always `delayMs`. `linear`: `delayMs` × attempt. `exponential`: `delayMs` × `factor`^(attempt − 1). */
  readonly type: 'fixed' | 'linear' | 'exponential';
  /** Delay after the first failed attempt. 0 to 30 days. */
  readonly delayMs: number;
  /** Base of the exponent, 1 to 10; `exponential` only. Default 2. */
  readonly factor?: number;
  /** No delay is longer. Default 1 hour. */
  readonly limitMs?: number;
  /** Share of the delay that is random, 0 (none) to 1 (anything between 0 and the delay). Default 0.2. */
  readonly jitter?: number;
}

/** The states that a unique key covers; while the job is in one of them the key is taken. */
export type UniqueState = 'waiting' | 'running' | 'succeeded' | 'failed' | 'cancelled';

export interface UniqueOptions {
  /** 1 to 500 characters; unique in its project, across queues and kinds. */
  readonly key: string;
  /**
   * While the job is in one of these states, the key is taken. `waiting` is blocked, scheduled, ready and
   * retrying together, and is always covered. Default `['waiting', 'running']`.
   */
  readonly states?: readonly UniqueState[];
  /** With a finished state among `states`: how long after the finish the key stays taken. Default 1 hour. */
  readonly keepMs?: number;
  /**
   * What to do when the key is taken by a job that still waits:
   * - `keep` (default): nothing; the answer names the job that is there.
   * - `replace`: payload, options and run time become the new ones.
   * - `debounce`: payload and run time become the new ones: the last call decides, and postpones.
   * - `throttle`: the payload becomes the new one, the earlier run time stays.
   *
   * A job that runs or has finished is never changed: the answer is then `kept` in each mode.
   */
  readonly onConflict?: 'keep' | 'replace' | 'debounce' | 'throttle';
}

/** How long a finished job is remembered, in milliseconds; 0 forgets it at once. */
export interface Retention {
  readonly succeededMs?: number;
  readonly failedMs?: number;
  readonly cancelledMs?: number;
}

/** What a queue says of its finished jobs: how long, and how many of them. */
export interface QueueRetention extends Retention {
  /** At most so many succeeded jobs are remembered, the newest; 0 to 1,000,000,000, null: any number. Default null. */
  readonly succeededMax?: number | null;
  /** The same of dead letters. */
  readonly failedMax?: number | null;
  /** The same of cancelled jobs. */
  readonly cancelledMax?: number | null;
}

/** Limits of one attempt. */
export interface AttemptLimits {
  /** From the start of the handler; 1 ms to 7 days. Default: none. */
  readonly timeoutMs?: number;
  /** Executors `thread`, `process` and `command`; at least 16 MiB. Default: none. */
  readonly memoryBytes?: number;
  /**
   * The handler must call `job.heartbeat()` (a program: write something) this often, 1 s to 7 days, or the job is taken
   * back and given to another worker, although its own lives. Default: none; the heartbeat of the worker is enough.
   */
  readonly leaseMs?: number;
}

export interface EnqueueOptions {
  /** A UUIDv7 of the caller's; the same id with the same content is one job. Default: a new one. */
  readonly id?: string;
  /** Name of the queue in the project. Default `default`. */
  readonly queue?: string;
  /** Name of the project. Default `default`. */
  readonly project?: string;
  /** Higher runs first; −32768 to 32767. Default: the queue's, which is 0 by default. */
  readonly priority?: number;
  /** Not before this time. A Date, or an ISO 8601 text with a zone. */
  readonly runAt?: Date | string;
  /** Not before this many milliseconds from now, by the clock of the database. Not together with `runAt`. */
  readonly delayMs?: number;
  /** 1 to 1,000. Default: the queue's, which is 5 by default. */
  readonly maxAttempts?: number;
  /** Default: the queue's, which is exponential from 1 s, factor 2, limit 1 hour, jitter 0.2. */
  readonly backoff?: Backoff;
  readonly unique?: UniqueOptions;
  /** Tags that the worker must have, all of them: `['capability=gpu']`. At most 20. */
  readonly requirements?: readonly string[];
  /**
   * Named amounts that the worker must have free, as workers `offer` them, held from the claim until the attempt ends:
   * `{ gpu: 1, memory: '4Gi' }`. At most 20, each a number or a Kubernetes quantity from 0 to 8Ti. Default: those of
   * the kind, then of the queue; `{}`: none.
   */
  readonly needs?: GivenAmounts;
  /**
   * Tags that the worker had better have, all of them: `['capability=ssd']`. Workers that have them take the job at
   * once; while one of them lives, the others leave it alone for `preferMs`. At most 20.
   */
  readonly prefers?: readonly string[];
  /** With `prefers`: for how long the others leave the job alone once it is due, 0 to 1 hour. Default 5 s. */
  readonly preferMs?: number;
  readonly limits?: AttemptLimits;
  /**
   * Limits that the job comes under beside those of its queue, kind and project: `['api', { limit: 'tenant', key: 'acme', cost: 3 }]`.
   * At most 8. They must have been declared (`declareLimit`). Not to be confused with `limits`, which are of one attempt.
   */
  readonly under?: readonly Under[];
  /** For search and rules; at most 20, keys up to 63 and values up to 255 characters. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Anything else of the caller's; JSON, at most 16 KiB. The handler reads it as `job.meta`. */
  readonly meta?: Readonly<Record<string, unknown>>;
  readonly retention?: Retention;
}

/** Options that a job keeps because they differ from the defaults of its queue and kind. */
export interface StoredOptions {
  readonly maxAttempts?: number;
  readonly backoff?: Backoff;
  readonly unique?: { readonly key: string; readonly states?: readonly UniqueState[] };
  readonly limits?: AttemptLimits;
  readonly under?: readonly Under[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly meta?: Readonly<Record<string, unknown>>;
  readonly retention?: Retention;
}

/** A job to enqueue. */
export interface EnqueueRequest<Kind extends string = string, Payload = unknown> extends EnqueueOptions {
  readonly kind: Kind;
  readonly payload?: Payload;
}

/** What became of a request. */
export interface EnqueueResult {
  /** The id of the job that stands for the request: a new one, or the one that held the unique key. */
  readonly id: string;
  /** `new`: enqueued. `kept`: a job with the key (or the id) was there and stays. `replaced`: it was there and was changed. */
  readonly result: 'new' | 'kept' | 'replaced';
}
