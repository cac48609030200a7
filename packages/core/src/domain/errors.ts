/**
 * The catalogue of errors: every error that Lineshaft raises has a code from here, with its cause and its
 * remedy. Match on `code`, never on `instanceof`: copies of this module in other threads and packages are
 * different classes. `docs/reference/errors.md` is generated from this file.
 */

import { workflowErrors } from './workflow/workflow-errors.ts';

/** What sort of trouble it is; command exit codes and HTTP statuses are mapped from it. */
export type ErrorCategory =
  | 'invalid'
  | 'not-found'
  | 'conflict'
  | 'forbidden'
  | 'limit'
  | 'unavailable'
  | 'internal';

export interface CatalogueEntry {
  readonly category: ErrorCategory;
  /** Whether the same call may succeed when it is made again later. */
  readonly retryable: boolean;
  readonly cause: string;
  readonly remedy: string;
}

export const errorCatalogue = {
  OPTION_INVALID: {
    category: 'invalid',
    retryable: false,
    cause: 'An option, field or argument has a value outside of what is allowed.',
    remedy: 'Correct the field that the message names; its range is in the message.',
  },
  OPTION_UNKNOWN: {
    category: 'invalid',
    retryable: false,
    cause: 'An option has a name that does not exist.',
    remedy: 'Use the name that the message suggests, or look the options up in the reference.',
  },
  PAYLOAD_INVALID: {
    category: 'invalid',
    retryable: false,
    cause:
      'The payload is not JSON (a function, a BigInt, a cycle), has a NUL character, or its schema refuses it.',
    remedy: 'Send plain JSON that fits the schema of the kind; the message names the place.',
  },
  PAYLOAD_TOO_LARGE: {
    category: 'limit',
    retryable: false,
    cause:
      'The payload of a job is larger than the setting `payloadMaxBytes` allows (1 MiB by default), or an input of a workflow ' +
      'larger than `workflowPayloads` does (10 MiB).',
    remedy: 'Store the data elsewhere and send a reference, or raise the setting.',
  },
  OUTPUT_INVALID: {
    category: 'invalid',
    retryable: false,
    cause: 'What the handler returned cannot be kept as JSON, or is larger than `outputMaxBytes` allows.',
    remedy: 'Return plain JSON, or nothing, and store large results elsewhere.',
  },
  QUEUE_NOT_FOUND: {
    category: 'not-found',
    retryable: false,
    cause: 'No queue has this name or slug in the project.',
    remedy: 'Declare it (`declare({ name })` or `lineshaft queue declare NAME`), or use the name suggested.',
  },
  QUEUE_NOT_EMPTY: {
    category: 'conflict',
    retryable: false,
    cause: 'A queue that still holds jobs cannot be deleted.',
    remedy: 'Let its jobs finish or cancel them, or delete it together with its jobs (`purge`).',
  },
  CIRCUIT_NOT_FOUND: {
    category: 'not-found',
    retryable: false,
    cause: 'The kind has no circuit breaker: none is declared for it, and none was set or opened by hand.',
    remedy:
      'Give its kind a `circuit`, or `lineshaft circuit set KIND`; `lineshaft circuit list` shows those there are.',
  },
  KIND_NOT_FOUND: {
    category: 'not-found',
    retryable: false,
    cause: 'No job of this kind was ever enqueued, and no live worker has a handler for it.',
    remedy: 'Use the name suggested, or start a worker with its handler.',
  },
  PROJECT_NOT_FOUND: {
    category: 'not-found',
    retryable: false,
    cause: 'No project has this name.',
    remedy: 'Create it (`lineshaft project create NAME`), or use the name suggested.',
  },
  SCHEDULE_NOT_FOUND: {
    category: 'not-found',
    retryable: false,
    cause: 'No schedule has this name in the project.',
    remedy:
      'Declare it (`schedule({ name, cron, kind })` or `lineshaft schedule declare NAME`), or use the name suggested.',
  },
  LIMIT_NOT_FOUND: {
    category: 'not-found',
    retryable: false,
    cause: 'No limit has this name in the project.',
    remedy: 'Declare it (`lineshaft limit declare NAME`), or use the name suggested.',
  },
  LIMIT_FIXED: {
    category: 'conflict',
    retryable: false,
    cause: 'What the lanes of a limit are made by (`key`, `fifo`, `fair`) cannot be changed.',
    remedy: 'Delete the limit and declare it anew, or declare another one.',
  },
  JOB_NOT_FOUND: {
    category: 'not-found',
    retryable: false,
    cause: 'No job has this id: it never existed, or its history has been dropped.',
    remedy: 'Check the id; keep history longer with the retention of its queue.',
  },
  JOB_ID_CONFLICT: {
    category: 'conflict',
    retryable: false,
    cause: 'A job with this id exists and has another content.',
    remedy: 'Use a new id for a new job; an id is sent again only with the same content.',
  },
  JOB_STATE_CONFLICT: {
    category: 'conflict',
    retryable: false,
    cause: 'The job is in a state that does not allow this.',
    remedy: 'Look at its state (`lineshaft job show ID`) and choose what fits.',
  },
  HANDLER_INVALID: {
    category: 'invalid',
    retryable: false,
    cause: 'A handler is not a function, or cannot run in the executor that was chosen for it.',
    remedy: 'Give a function, or for thread and process executors the module that exports it.',
  },
  WAIT_TIMEOUT: {
    category: 'unavailable',
    retryable: true,
    cause: 'Not all jobs finished within the time that the caller gave.',
    remedy: 'Wait longer, or look at the jobs that the error lists.',
  },
  TIME_LIMIT_EXCEEDED: {
    category: 'limit',
    retryable: true,
    cause: 'The attempt ran longer than its time limit.',
    remedy: 'Raise the limit of the job, kind or queue, or make the work shorter.',
  },
  MEMORY_LIMIT_EXCEEDED: {
    category: 'limit',
    retryable: true,
    cause: 'The attempt used more memory than its memory limit.',
    remedy: 'Raise the limit of the job, kind or queue, or make the work smaller.',
  },
  ATTEMPT_CANCELLED: {
    category: 'conflict',
    retryable: false,
    cause: 'The job was cancelled while it ran.',
    remedy: 'Nothing to do; enqueue it again if it is wanted after all.',
  },
  ATTEMPT_CRASHED: {
    category: 'internal',
    retryable: true,
    cause: 'The thread or process that ran the attempt ended before it gave a result.',
    remedy:
      'Look at the log of the worker for its last words; set a memory limit if it was killed for memory.',
  },
  COMMAND_FAILED: {
    category: 'internal',
    retryable: true,
    cause: 'The program that the attempt ran ended with an exit code other than 0, or by a signal.',
    remedy: 'Look at its standard error, which the error keeps.',
  },
  LEASE_LOST: {
    category: 'conflict',
    retryable: false,
    cause: 'The result came after the lease of its worker had run out, or after the job was cancelled.',
    remedy:
      'None needed: the result was dropped and the job has moved on. Lengthen the lease if it is frequent.',
  },
  WORKER_POISONED: {
    category: 'limit',
    retryable: false,
    cause: 'The job was rescued as often as is allowed: each time its worker died while it ran.',
    remedy: 'Find out why it kills its worker, then redrive it (`lineshaft job retry ID`).',
  },
  UPGRADE_FAILED: {
    category: 'invalid',
    retryable: false,
    cause: 'The payload has an older version and the upgrade of its kind threw.',
    remedy: 'Correct `upgrade` and deploy, then `lineshaft job retry ID`.',
  },
  SCHEMA_MISSING: {
    category: 'unavailable',
    retryable: false,
    cause: 'The database has no Lineshaft schema, or an older one than this version needs.',
    remedy: 'Run `lineshaft migrate`, or call `migrate()`.',
  },
  SCHEMA_NEWER: {
    category: 'conflict',
    retryable: false,
    cause: 'The database was migrated by a newer version of Lineshaft.',
    remedy: 'Deploy a version that knows this schema.',
  },
  MIGRATION_CHANGED: {
    category: 'conflict',
    retryable: false,
    cause: 'A migration that was applied differs from the file of the same number.',
    remedy: 'Restore the file; a migration is never edited after it was released.',
  },
  ENQUEUE_REFUSED: {
    category: 'forbidden',
    retryable: false,
    cause: 'A plugin refuses the job; the message has its name and its reason.',
    remedy: 'Do as the reason says, or take the plugin out.',
  },
  PLUGIN_TIMEOUT: {
    category: 'internal',
    retryable: false,
    cause: 'A hook or a middleware of a plugin took longer than its `timeoutMs` (5 s by default).',
    remedy: 'Do what takes long elsewhere, or raise `timeoutMs` of the plugin (60 s at most).',
  },
  LEADERSHIP_LOST: {
    category: 'conflict',
    retryable: true,
    cause: 'A write of a leader came after another worker had taken its place; nothing was changed.',
    remedy: 'None is needed: the leader of today does it.',
  },
  MIGRATION_LOCKED: {
    category: 'unavailable',
    retryable: true,
    cause: 'Open transactions of others kept the locks that a migration needs, in all of its attempts.',
    remedy:
      'End long transactions on the tables of Lineshaft (`lineshaft doctor` names them) and migrate again.',
  },
  DATABASE_UNAVAILABLE: {
    category: 'unavailable',
    retryable: true,
    cause: 'The database does not answer, or the connection was lost.',
    remedy: 'Check the connection URL and the server; workers go on by themselves when it is back.',
  },
  DATABASE_FAILED: {
    category: 'internal',
    retryable: false,
    cause: 'The database refused a statement for a reason that Lineshaft does not know.',
    remedy: 'Read the SQLSTATE and message in the details; report it if they are not of your making.',
  },
  UNAUTHENTICATED: {
    category: 'forbidden',
    retryable: false,
    cause: 'The server demands a key, and the request has none, or one that is wrong, expired or revoked.',
    remedy:
      'Make one with `lineshaft token create`; send its secret, or the token that `POST /api/token` gives for it, ' +
      'as `X-Authorization` or `Authorization: Bearer`.',
  },
  NOT_ALLOWED: {
    category: 'forbidden',
    retryable: false,
    cause: 'The caller is known and may not do this.',
    remedy: 'Ask with a key that may.',
  },
  TOO_MANY_FAILURES: {
    category: 'limit',
    retryable: true,
    cause: 'Too many requests with wrong keys came from the same address.',
    remedy: 'Correct the key, and come again after the seconds of `Retry-After`.',
  },
  KEY_NOT_FOUND: {
    category: 'not-found',
    retryable: false,
    cause: 'No API key has this id.',
    remedy: '`lineshaft token list` shows those there are.',
  },
  KEYS_MISSING: {
    category: 'forbidden',
    retryable: false,
    cause: 'A server was to listen beyond this machine, and there is no API key: anybody could do anything.',
    remedy: 'Make a key first with `lineshaft token create`, or listen on 127.0.0.1.',
  },
  ADDRESS_UNAVAILABLE: {
    category: 'unavailable',
    retryable: false,
    cause: 'The server cannot listen on this address and port.',
    remedy: 'Choose another `--port` (0: any that is free) or `--host`.',
  },
  BODY_INVALID: {
    category: 'invalid',
    retryable: false,
    cause:
      'The body of a request is not JSON in UTF-8, is nested deeper than 500 levels, or has what the database ' +
      'cannot keep.',
    remedy: 'Send plain JSON; the message names the place.',
  },
  BODY_TOO_LARGE: {
    category: 'limit',
    retryable: false,
    cause: 'The body of a request is larger than the server takes (16 MiB by default).',
    remedy: 'Store the data elsewhere and send a reference, or raise `bodyMaxBytes`.',
  },
  HEADERS_TOO_LARGE: {
    category: 'limit',
    retryable: false,
    cause: 'The headers of a request are larger than 16 KiB.',
    remedy: 'Send fewer or shorter headers.',
  },
  REQUEST_INVALID: {
    category: 'invalid',
    retryable: false,
    cause: 'A request is not HTTP, or a parameter of its path or query is missing or out of range.',
    remedy: 'Correct what the message names; `/api-docs` describes every route.',
  },
  REQUEST_TIMEOUT: {
    category: 'unavailable',
    retryable: true,
    cause: 'A request did not arrive whole in the time that the server gives (30 s by default).',
    remedy: 'Send faster, or raise `requestTimeoutMs`.',
  },
  ROUTE_NOT_FOUND: {
    category: 'not-found',
    retryable: false,
    cause: 'The server has no such path.',
    remedy: 'Look it up at `/api-docs`.',
  },
  METHOD_NOT_ALLOWED: {
    category: 'invalid',
    retryable: false,
    cause: 'The path exists, and takes other methods than this.',
    remedy: 'Use one of those that the header `Allow` names.',
  },
  CLOSED: {
    category: 'conflict',
    retryable: false,
    cause: 'The object was closed before this call.',
    remedy: 'Make a new one, or close it later.',
  },
  EMBEDDED_UNAVAILABLE: {
    category: 'unavailable',
    retryable: false,
    cause: 'There is no embedded PostgreSQL for this platform, or it did not start.',
    remedy: 'Set LINESHAFT_DATABASE_URL to a PostgreSQL 15 or newer, or read the log that the message names.',
  },
  EMBEDDED_WRONG_VERSION: {
    category: 'conflict',
    retryable: false,
    cause: 'The data directory was made by another major version of PostgreSQL.',
    remedy: 'Move it away or migrate its data with pg_dump and pg_restore of that version.',
  },
  EMBEDDED_BUSY: {
    category: 'unavailable',
    retryable: true,
    cause: 'The embedded PostgreSQL was not ready in time, or another command or container holds its folder.',
    remedy: 'Try again; read the log that the message names; end the command that holds the folder.',
  },
  EMBEDDED_DATA_UNUSABLE: {
    category: 'conflict',
    retryable: false,
    cause:
      'The folder or its data belong to another user, are no PostgreSQL data directory, or are gone from where the ' +
      'pointer file says.',
    remedy: 'Run as their owner, move them away or bring them back, or set LINESHAFT_DATABASE_URL.',
  },
  ...workflowErrors,
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof errorCatalogue;

/** Facts about one occurrence; shown to people, so never payloads or secrets. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/**
 * An error of Lineshaft, with a stable code.
 *
 * @example
 * try { await lineshaft.enqueue('send-email', { to }, { queue: 'mial' }); }
 * catch (error) { if (isLineshaftError(error, 'QUEUE_NOT_FOUND')) console.error(error.message); }
 */
export class LineshaftError extends Error {
  override readonly name = 'LineshaftError';
  readonly code: ErrorCode;
  readonly category: ErrorCategory;
  readonly retryable: boolean;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, what: { message: string; details?: ErrorDetails; cause?: unknown }) {
    super(what.message, what.cause === undefined ? undefined : { cause: what.cause });
    this.code = code;
    this.category = errorCatalogue[code].category;
    this.retryable = errorCatalogue[code].retryable;
    this.details = what.details ?? {};
  }
}

/**
 * Thrown by a handler: trying again would be useless, the job is a dead letter at once. Any error with
 * `retryable: false` does the same, from every executor.
 *
 * @example throw new NonRetryableError('not a CSV file', { cause: error })
 */
export class NonRetryableError extends Error {
  override readonly name: string = 'NonRetryableError';
  readonly retryable = false;
}

/** Whether a value is an error of Lineshaft, of the given code if one is given. */
export function isLineshaftError(value: unknown, code?: ErrorCode): value is LineshaftError {
  if (typeof value !== 'object' || value === null) return false;
  const candidate = value as { name?: unknown; code?: unknown };
  return candidate.name === 'LineshaftError' && (code === undefined || candidate.code === code);
}

/** The error for a field that has a wrong value: what, which value, and what would be right. */
export function invalidOption(field: string, value: unknown, expected: string): LineshaftError {
  return new LineshaftError('OPTION_INVALID', {
    message: `${field} must be ${expected}, not ${describeValue(value)}`,
    details: { field },
  });
}

/** A value as a person reads it in a message: short, on one line. */
export function describeValue(value: unknown): string {
  if (typeof value === 'string') return `'${value.length > 60 ? `${value.slice(0, 57)}...` : value}'`;
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return 'an array';
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid date' : value.toISOString();
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value);
}
