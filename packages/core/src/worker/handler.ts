/** What a user writes: handlers, and what they are given. */

import type { EnqueueOptions } from '../domain/job-options.ts';

/** What a handler can see of, and say about, the attempt that it is. */
export interface JobContext {
  readonly id: string;
  readonly kind: string;
  readonly queue: string;
  /** 1 for the first attempt. */
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly meta: Readonly<Record<string, unknown>>;
  /** Of a job that a schedule has made: of which tick it is. */
  readonly schedule: ScheduledTick | undefined;
  /** Aborted when the job is cancelled, its time is up, or its worker stops; `reason` is a LineshaftError. */
  readonly signal: AbortSignal;
  /** When its time limit ends; undefined without one. */
  readonly deadline: Date | undefined;
  /** Writes to the log of the worker. */
  readonly log: JobLog;
  /** Says how far the work is. The last value is shown by `job show` while it runs. */
  progress(current: number, total?: number): void;
  /** Says that it is alive; starts its time limit anew. */
  heartbeat(): void;
  /** Ends the attempt: the job comes back after the delay, and the attempt does not count. Never returns. */
  snooze(delayMs: number): never;
  /**
   * Ends the attempt as `snooze` does, and lets nothing start under a limit of this job, with its key, until then: when
   * the service that the limit protects says so. The limit by its name; without one, as for `spent`, or else the only one
   * that the job is under. An error that carries a retry-after does the same. Never returns.
   * @param untilOrMs a Date, or ms from now: 0 to 366 days
   * @example if (response.status === 429) job.throttled(Number(response.headers.get('retry-after')) * 1_000);
   */
  throttled(untilOrMs: Date | number, limit?: string): never;
  /**
   * Says what this attempt has really cost of the rate of a limit, 0 to a billion: what was taken more when it started is given
   * back when it has ended, what is missing is a debt that the next ones wait for. Of several calls the last
   * counts. The limit by its name; without one, the one whose cost is in the payload, or else the only one with a rate.
   * @example job.spent(response.usage.totalTokens);
   */
  spent(amount: number, limit?: string): void;
  /** Ends the attempt: the job is cancelled for the given reason. Never returns. */
  cancel(reason?: string): never;
  /** Enqueues a job in the transaction that completes this one: both happen, or neither. */
  enqueue(kind: string, payload?: unknown, options?: EnqueueOptions): void;
}

/** The tick of a schedule that a job is of. */
export interface ScheduledTick {
  /** Of the schedule. */
  readonly name: string;
  /** When the rule came due, without jitter; of a run that was asked for, when it was. */
  readonly tick: Date;
  /** It is made up for: it was due more than a minute before its job was enqueued. */
  readonly missed: boolean;
  /** Somebody asked for it (`runSchedule`). */
  readonly asked: boolean;
}

export interface JobLog {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Does the work of one kind. What it returns is kept as the output of the job. */
export type Handler<Payload = unknown> = (payload: Payload, job: JobContext) => unknown;

/** A handler that lives in a module of its own, so that threads and processes can load it. */
export interface HandlerModule {
  /** File URL or absolute path of the module. */
  readonly module: string | URL;
  /** Name of its export. Default `default`. */
  readonly export?: string;
}

/** A program that does the work: payload as JSON on standard input, output as JSON on standard output. */
export interface HandlerCommand {
  readonly command: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** What an executor has to run for a kind. */
export type HandlerSource =
  | { readonly type: 'function'; readonly handler: Handler }
  | ({ readonly type: 'module' } & HandlerModule)
  | ({ readonly type: 'command' } & HandlerCommand);

export interface ExecutorOptions {
  /** `thread`, `process`: how many threads or children. Default: available processors. */
  readonly size?: number;
  /** `process`: a child is replaced after this many attempts. Default 100,000; 0: never. */
  readonly maxTasksPerChild?: number;
  /** Memory limit of each thread or child in bytes where the attempt has none of its own. */
  readonly memoryBytes?: number;
}
