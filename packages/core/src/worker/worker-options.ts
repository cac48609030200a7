/** What may be said of a worker, its defaults and its checks. */

import { type Amounts, type GivenAmounts, validateAmounts } from '../domain/amounts.ts';
import { invalidOption, LineshaftError } from '../domain/errors.ts';
import { oneOf } from '../domain/fields.ts';
import { executorNames } from '../domain/queue.ts';
import { didYouMean } from '../domain/suggest.ts';
import { validateTag } from '../domain/tags.ts';
import type { ExecutorName } from './executors/port.ts';
import type { ExecutorOptions } from './handler.ts';
import type { HandlerLike } from './registry.ts';

export interface WorkerOptions {
  /** Names this worker among all; 1 to 200 characters. Default: host name, process id and a random part. */
  readonly workerId?: string;
  /** A name for people. Default: the worker id. */
  readonly name?: string;
  /** Besides the automatic ones: `['has=gpu', 'env=production']`. */
  readonly tags?: Iterable<string>;
  /** Names or slugs of the queues to serve. Default: all whose tags match this worker's. */
  readonly queues?: Iterable<string>;
  /** Ids of the projects to serve. Default: all. */
  readonly projectIds?: Iterable<number>;
  /** The handlers by kind. Default: those that were registered with `handle`. */
  readonly handlers?: Readonly<Record<string, HandlerLike>>;
  /** Attempts that may run at once, over all queues; 1 to 10,000. Default 100. */
  readonly slots?: number;
  /**
   * Named amounts that its jobs may need: `{ gpu: 1, memory: '16Gi', licence: 2 }`. At most 20, each a number or a
   * Kubernetes quantity from 0 to 8Ti. Jobs that are held at once never need more in sum. Default: none.
   */
  readonly offers?: GivenAmounts;
  /**
   * A job that needs much is passed over for smaller ones for at most so long; then what it needs is kept for it, as
   * it is freed. 0 to 1 hour. Default 5 s.
   */
  readonly reserveAfterMs?: number;
  /** How long the worker may be silent before its jobs are given to others; 1 s to 1 hour. Default 15 s. */
  readonly leaseMs?: number;
  /** How often it says that it lives; at most a third of the lease, which is the default. */
  readonly heartbeatMs?: number;
  /** How long a stop waits for running attempts; then they are interrupted and given back. Default 30 s. */
  readonly shutdownTimeoutMs?: number;
  /** How long an attempt that was asked to end may take before it is ended. Default 5 s. */
  readonly graceMs?: number;
  /** Stop on SIGTERM and SIGINT; a second one stops at once. Default true. */
  readonly signals?: boolean;
  /** How often it looks for jobs when it was not woken; 10 ms to 1 hour. Default: the shortest of its queues. */
  readonly pollingIntervalMs?: number;
  /** Runs everything in this executor whatever queues and kinds say. */
  readonly executor?: ExecutorName;
  /** Settings of the thread and process executors where a queue has none of its own. */
  readonly executorOptions?: ExecutorOptions;
  /** A job whose worker dies this often is a dead letter; 1 to 100. Default 3. */
  readonly maxRescues?: number;
  /** Largest output that is kept, in characters of JSON. Default 1 MiB. */
  readonly outputMaxBytes?: number;
  /** Keeps V8's young generation small in this process, which saves a third of the memory, until it takes steps of runs. Default true. */
  readonly compactHeap?: boolean;
  /**
   * For databases that suspend when nobody asks: with no work and nothing due the worker sends no statement at all, until
   * a notification or the next due time wakes it. Not behind a pooler. Default false. See docs/operate/settings.md.
   */
  readonly letDatabaseSleep?: boolean;
  /** Stop by itself when no job is left to claim. Default false. */
  readonly once?: boolean;
}

export interface CheckedWorkerOptions {
  readonly workerId: string | undefined;
  readonly name: string | undefined;
  readonly tags: readonly string[];
  readonly queues: ReadonlySet<string> | undefined;
  readonly projectIds: ReadonlySet<number> | undefined;
  readonly handlers: Readonly<Record<string, HandlerLike>> | undefined;
  readonly slots: number;
  readonly offers: Amounts;
  readonly reserveAfterMs: number;
  readonly leaseMs: number;
  readonly heartbeatMs: number;
  readonly shutdownTimeoutMs: number;
  readonly graceMs: number;
  readonly signals: boolean;
  readonly pollingIntervalMs: number | undefined;
  readonly executor: ExecutorName | undefined;
  readonly executorOptions: ExecutorOptions;
  readonly maxRescues: number;
  readonly outputMaxBytes: number;
  readonly compactHeap: boolean;
  readonly letDatabaseSleep: boolean;
  readonly once: boolean;
}

const known = new Set([
  'workerId',
  'name',
  'tags',
  'queues',
  'projectIds',
  'handlers',
  'slots',
  'offers',
  'reserveAfterMs',
  'leaseMs',
  'heartbeatMs',
  'shutdownTimeoutMs',
  'graceMs',
  'signals',
  'pollingIntervalMs',
  'executor',
  'executorOptions',
  'maxRescues',
  'outputMaxBytes',
  'compactHeap',
  'letDatabaseSleep',
  'once',
]);

/** Checks what a caller gave and fills in the defaults. @throws LineshaftError OPTION_UNKNOWN, OPTION_INVALID */
export function checkWorkerOptions(given: WorkerOptions): CheckedWorkerOptions {
  for (const field of Object.keys(given)) {
    if (!known.has(field)) {
      throw new LineshaftError('OPTION_UNKNOWN', {
        message: `a worker has no option '${field}'${didYouMean(field, known)}`,
        details: { field },
      });
    }
  }
  const leaseMs = whole('leaseMs', given.leaseMs, 15_000, 1_000, 3_600_000);
  const heartbeatMs = whole('heartbeatMs', given.heartbeatMs, Math.floor(leaseMs / 3), 100, 3_600_000);
  if (heartbeatMs > leaseMs / 3) {
    throw invalidOption('heartbeatMs', heartbeatMs, `at most a third of leaseMs (${leaseMs})`);
  }
  if (given.executor !== undefined) oneOf(given.executor, 'executor', executorNames);
  return {
    workerId: text('workerId', given.workerId),
    name: text('name', given.name),
    tags: [...(given.tags ?? [])].map((tag) => validateTag(tag)),
    queues: given.queues === undefined ? undefined : new Set(given.queues),
    projectIds: given.projectIds === undefined ? undefined : new Set(given.projectIds),
    handlers: given.handlers,
    slots: whole('slots', given.slots, 100, 1, 10_000),
    offers: given.offers === undefined ? {} : validateAmounts(given.offers, 'offers'),
    reserveAfterMs: whole('reserveAfterMs', given.reserveAfterMs, 5_000, 0, 3_600_000),
    leaseMs,
    heartbeatMs,
    shutdownTimeoutMs: whole('shutdownTimeoutMs', given.shutdownTimeoutMs, 30_000, 0, 86_400_000),
    graceMs: whole('graceMs', given.graceMs, 5_000, 0, 3_600_000),
    signals: given.signals ?? true,
    pollingIntervalMs:
      given.pollingIntervalMs === undefined
        ? undefined
        : whole('pollingIntervalMs', given.pollingIntervalMs, 0, 10, 3_600_000),
    executor: given.executor,
    executorOptions: given.executorOptions ?? {},
    maxRescues: whole('maxRescues', given.maxRescues, 3, 1, 100),
    outputMaxBytes: whole('outputMaxBytes', given.outputMaxBytes, 1_048_576, 0, 268_435_456),
    compactHeap: given.compactHeap ?? true,
    letDatabaseSleep: given.letDatabaseSleep ?? false,
    once: given.once ?? false,
  };
}

function whole(
  field: string,
  value: number | undefined,
  byDefault: number,
  low: number,
  high: number,
): number {
  if (value === undefined) return byDefault;
  if (!Number.isInteger(value) || value < low || value > high) {
    throw invalidOption(field, value, `a whole number from ${low} to ${high}`);
  }
  return value;
}

function text(field: string, value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value.length === 0 || value.length > 200) {
    throw invalidOption(field, value, 'a text of 1 to 200 characters');
  }
  return value;
}
