/** Queues as data: what a caller declares, and what the database keeps. Pure. */

import { type Amounts, type GivenAmounts, validateAmounts } from './amounts.ts';
import { invalidOption } from './errors.ts';
import { type Fields, fieldsOf, oneOf, refuseUnknown, timeOf, wholeNumber } from './fields.ts';
import type { AttemptLimits, Backoff, QueueRetention, Retention } from './job-options.ts';
import { maxMemoryBytes, minMemoryBytes, validateLimits, validateQueueRetention } from './limits.ts';
import { defaultBackoff, validateBackoff } from './retry.ts';
import { type RetryRule, validateRetryRules } from './retry-rules.ts';
import { validateTagPatterns } from './tags.ts';

export type QueueState = 'active' | 'paused';

/**
 * How an enqueue in a transaction of the caller's wakes workers: `auto` by a rate-limited NOTIFY, `always` by
 * one for each call, `never` not at all (workers find the jobs when they poll).
 */
export type QueueWake = 'auto' | 'always' | 'never';

/** The executors that a queue may name. */
export const executorNames = ['async', 'thread', 'process', 'command'] as const;
export type QueueExecutor = (typeof executorNames)[number];

/** Options of a queue's executor; each is of use to some executors only. */
export interface QueueExecutorOptions {
  /** `thread`, `process`: how many threads or children, 1 to 1,024. Default: available processors. */
  readonly size?: number;
  /** `process`: a child is replaced after this many attempts; 0: never. Default 100,000. */
  readonly maxTasksPerChild?: number;
  /**
   * `thread`, `process`: memory limit in bytes of each, at least 16 MiB, where the attempt has none of its
   * own.
   */
  readonly memoryBytes?: number;
}

/** What a caller says of a queue; what is left out keeps its value, or has its default in a new queue. */
export interface QueueDeclaration {
  /** 1 to 63 letters, digits or `_ . -`, starting with a letter or digit; unique in its project. */
  readonly name: string;
  /** Name of the project. Default `default`. */
  readonly project?: string;
  /** `paused`: its jobs wait. Default `active`. */
  readonly state?: QueueState;
  /** Only with `state: 'paused'`: when it goes on by itself. A Date, or an ISO 8601 text with a zone. */
  readonly resumeAt?: Date | string;
  /** How many of its jobs one worker runs at once, 1 to 10,000. Default 10. */
  readonly concurrency?: number;
  /**
   * Patterns of tags: workers with any of them serve the queue. At most 100. Default `['*']`, every worker.
   */
  readonly tags?: readonly string[];
  /** Default `async`. */
  readonly executor?: QueueExecutor;
  readonly executorOptions?: QueueExecutorOptions;
  /** How often a worker that was not woken looks for jobs, 10 ms to 1 hour. Default 5 s. */
  readonly pollingIntervalMs?: number;
  /** Of jobs that have none of their own: higher runs first, −32768 to 32767. Default 0. */
  readonly priority?: number;
  /** How often its turn comes among queues of the same priority, against theirs: 1 to 1,000. Default 1. */
  readonly weight?: number;
  /** Of jobs that have none of their own: 1 to 1,000. Default 5. */
  readonly maxAttempts?: number;
  /**
   * Of jobs that have none of their own. Default: exponential from 1 s, factor 2, limit 1 hour, jitter 0.2.
   */
  readonly backoff?: Backoff;
  /** What to do after certain errors, for all its jobs; those of a kind go before. At most 20. Default: none. */
  readonly retryRules?: readonly RetryRule[];
  /**
   * Amounts that each of its jobs needs of its worker where the job and its kind say nothing: `{ memory: '1Gi' }`.
   * Default: none.
   */
  readonly needs?: GivenAmounts;
  /** Of attempts of jobs that have none of their own. Default: none. */
  readonly limits?: AttemptLimits;
  /**
   * How long finished jobs are remembered that do not say it themselves, by default succeeded 1 day, failed and cancelled
   * 14 days; and at most how many of them (`succeededMax`, `failedMax`, `cancelledMax`), by default any number.
   */
  readonly retention?: QueueRetention;
  /** Default `auto`. */
  readonly wake?: QueueWake;
}

/** A queue as it is stored: all settings filled. */
export interface Queue {
  readonly id: number;
  readonly projectId: number;
  /** Name of its project. */
  readonly project: string;
  readonly name: string;
  /** `<project id>-<name>`, unique everywhere. */
  readonly slug: string;
  readonly state: QueueState;
  readonly resumeAt: Date | undefined;
  readonly concurrency: number;
  readonly tags: readonly string[];
  readonly executor: QueueExecutor;
  readonly executorOptions: QueueExecutorOptions;
  readonly pollingIntervalMs: number;
  readonly priority: number;
  readonly weight: number;
  readonly maxAttempts: number;
  readonly backoff: Backoff;
  readonly retryRules: readonly RetryRule[];
  /** What its jobs need where they say nothing. */
  readonly needs: Amounts;
  readonly limits: AttemptLimits;
  readonly retention: Required<Retention> & QueueRetention;
  readonly wake: QueueWake;
  /** Its jobs are steps of workflow runs: how they end is kept with their runs, not in history. */
  readonly steps: boolean;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/**
 * The settings of a queue that was declared with nothing but its name. The same stand in the SQL of the
 * table.
 */
export const queueDefaults = {
  project: 'default',
  state: 'active',
  concurrency: 10,
  tags: ['*'],
  executor: 'async',
  executorOptions: {},
  pollingIntervalMs: 5_000,
  priority: 0,
  weight: 1,
  maxAttempts: 5,
  backoff: defaultBackoff,
  retryRules: [],
  needs: {},
  limits: {},
  retention: { succeededMs: 86_400_000, failedMs: 1_209_600_000, cancelledMs: 1_209_600_000 },
  wake: 'auto',
} as const satisfies Omit<QueueDeclaration, 'name'>;

const namePattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;
const nameRule = "1 to 63 letters, digits or '_ . -', starting with a letter or digit";

/**
 * The name of a queue: 1 to 63 letters, digits or `_ . -`, starting with a letter or digit (OPTION_INVALID).
 */
export function validateQueueName(value: unknown, field = 'queue'): string {
  if (typeof value === 'string' && namePattern.test(value)) return value;
  throw invalidOption(field, value, nameRule);
}

/**
 * The name of a project: 1 to 63 letters, digits or `_ . -`, starting with a letter or digit
 * (OPTION_INVALID).
 */
export function validateProjectName(value: unknown, field = 'project'): string {
  if (typeof value === 'string' && namePattern.test(value)) return value;
  throw invalidOption(field, value, nameRule);
}

/** The name that a queue has across projects and for ever: `<project id>-<name>`. */
export function queueSlug(projectId: number | bigint, name: string): string {
  return `${projectId}-${name}`;
}

const checks = {
  name: (value) => validateQueueName(value, 'name'),
  project: (value) => validateProjectName(value),
  state: (value) => oneOf(value, 'state', ['active', 'paused']),
  resumeAt: (value) => timeOf(value, 'resumeAt'),
  concurrency: (value) => wholeNumber(value, 'concurrency', 1, 10_000),
  tags: (value) => validateTagPatterns(value, 'tags'),
  executor: (value) => oneOf(value, 'executor', executorNames),
  executorOptions: (value) => validateExecutorOptions(value),
  pollingIntervalMs: (value) => wholeNumber(value, 'pollingIntervalMs', 10, 3_600_000),
  priority: (value) => wholeNumber(value, 'priority', -32_768, 32_767),
  weight: (value) => wholeNumber(value, 'weight', 1, 1_000),
  maxAttempts: (value) => wholeNumber(value, 'maxAttempts', 1, 1_000),
  backoff: (value) => validateBackoff(value),
  retryRules: (value) => validateRetryRules(value),
  needs: (value) => validateAmounts(value, 'needs'),
  limits: (value) => validateLimits(value),
  retention: (value) => validateQueueRetention(value),
  wake: (value) => oneOf(value, 'wake', ['auto', 'always', 'never']),
} satisfies { [Name in keyof QueueDeclaration]-?: (value: unknown) => Required<QueueDeclaration>[Name] };

const settingNames = Object.keys(checks) as readonly (keyof QueueDeclaration)[];

/**
 * A declaration of a queue, checked; fields that are undefined are left out, `resumeAt` is a Date.
 *
 * @throws OPTION_UNKNOWN for a field that does not exist, with the one that was meant; OPTION_INVALID for a
 * value out of its range, and for `resumeAt` without `state: 'paused'`.
 * @example validateQueue({ name: 'mail', concurrency: 20, tags: ['capability=smtp'] })
 */
export function validateQueue(value: unknown): QueueDeclaration {
  const fields = fieldsOf(value, 'queue');
  refuseUnknown(fields, settingNames);
  const checked: Record<string, unknown> = { name: checks.name(fields.name) };
  for (const name of settingNames) {
    if (fields[name] !== undefined) checked[name] = checks[name](fields[name]);
  }
  if (checked.resumeAt !== undefined && checked.state !== 'paused') {
    throw invalidOption('resumeAt', checked.resumeAt, "left out, or given together with state: 'paused'");
  }
  return checked as unknown as QueueDeclaration;
}

/** Options of a queue's executor, checked (OPTION_INVALID, OPTION_UNKNOWN). */
export function validateExecutorOptions(value: unknown, field = 'executorOptions'): QueueExecutorOptions {
  const fields = fieldsOf(value, field);
  refuseUnknown(fields, ['size', 'maxTasksPerChild', 'memoryBytes'], `${field}.`);
  const { size, maxTasksPerChild, memoryBytes } = fields;
  return {
    ...(size === undefined ? {} : { size: wholeNumber(size, `${field}.size`, 1, 1_024) }),
    ...(maxTasksPerChild === undefined
      ? {}
      : { maxTasksPerChild: wholeNumber(maxTasksPerChild, `${field}.maxTasksPerChild`, 0, 1_000_000_000) }),
    ...(memoryBytes === undefined
      ? {}
      : { memoryBytes: wholeNumber(memoryBytes, `${field}.memoryBytes`, minMemoryBytes, maxMemoryBytes) }),
  };
}

/**
 * The settings of a checked declaration by the names of their columns, for `declare_queue.sql`: only those
 * that were given; a state without `resumeAt` clears the time that was set before.
 */
export function queueColumns(declaration: QueueDeclaration): Record<string, unknown> {
  const { name: _name, project: _project, ...settings } = declaration;
  const columns: Record<string, unknown> = settings.state === undefined ? {} : { resume_at: null };
  for (const [name, value] of Object.entries(settings)) {
    if (value !== undefined) columns[columnOf(name)] = value;
  }
  return columns;
}

/** `pollingIntervalMs` → `polling_interval_ms`. */
function columnOf(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** A row of `lineshaft.queue` by column names, with the name of its `project`, as drivers give it. */
export type QueueRow = Fields;

/**
 * A queue from its row. Numbers may come as texts (`bigint`), times as Dates or texts, JSON parsed or as
 * text; a setting that is missing has its default.
 *
 * @throws TypeError for a row that has no `id`, `project_id`, `project` or `name`: the statement is wrong.
 */
export function queueFromRow(row: QueueRow): Queue {
  const { id, project_id: projectId, project, name } = row;
  if (id == null || projectId == null || typeof project !== 'string' || typeof name !== 'string') {
    throw new TypeError('a row of a queue needs id, project_id, project and name');
  }
  const resumeAt = row.resume_at;
  return {
    id: Number(id),
    projectId: Number(projectId),
    project,
    name,
    slug: queueSlug(Number(projectId), name),
    state: (row.state ?? queueDefaults.state) as QueueState,
    resumeAt: resumeAt == null ? undefined : dateOf(resumeAt),
    concurrency: Number(row.concurrency ?? queueDefaults.concurrency),
    tags:
      typeof row.tags === 'string' ? textArrayOf(row.tags) : ((row.tags ?? queueDefaults.tags) as string[]),
    executor: (row.executor ?? queueDefaults.executor) as QueueExecutor,
    executorOptions: jsonOf(row.executor_options) as QueueExecutorOptions,
    pollingIntervalMs: Number(row.polling_interval_ms ?? queueDefaults.pollingIntervalMs),
    priority: Number(row.priority ?? queueDefaults.priority),
    weight: Number(row.weight ?? queueDefaults.weight),
    maxAttempts: Number(row.max_attempts ?? queueDefaults.maxAttempts),
    backoff: row.backoff == null ? defaultBackoff : (jsonOf(row.backoff) as Backoff),
    retryRules: row.retry_rules == null ? [] : (jsonOf(row.retry_rules) as RetryRule[]),
    needs: jsonOf(row.needs) as Amounts,
    limits: jsonOf(row.limits) as AttemptLimits,
    retention: { ...queueDefaults.retention, ...boundsOnly(jsonOf(row.retention) as QueueRetention) },
    wake: (row.wake ?? queueDefaults.wake) as QueueWake,
    steps: row.steps === true || row.steps === 't',
    createdAt: dateOf(row.created_at),
    updatedAt: dateOf(row.updated_at),
  };
}

/** Without the bounds that were taken away. */
function boundsOnly(retention: QueueRetention): QueueRetention {
  return Object.fromEntries(Object.entries(retention).filter(([, value]) => value !== null));
}

/** PostgreSQL writes times as ISO 8601 with a short zone, which `new Date` does not read. */
function dateOf(value: unknown): Date {
  return typeof value === 'number' ? new Date(value) : timeOf(value, 'a time of the database');
}

function jsonOf(value: unknown): unknown {
  if (value == null) return {};
  return typeof value === 'string' ? JSON.parse(value) : value;
}

/** The texts of a PostgreSQL array literal without nulls: `{*,"capability=gpu one"}`. */
function textArrayOf(literal: string): string[] {
  const elements = literal.slice(1, -1).matchAll(/"((?:[^"\\]|\\.)*)"|([^,]+)/g);
  return Array.from(elements, ([, quoted, bare]) => quoted?.replaceAll(/\\(.)/g, '$1') ?? bare ?? '');
}
