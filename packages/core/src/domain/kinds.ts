/**
 * Kinds: what the caller says once of all jobs of a kind, and the check and the upgrade of their payloads.
 * Pure.
 */

import { type Amounts, type GivenAmounts, validateAmounts } from './amounts.ts';
import type { ErrorRecord } from './attempt.ts';
import type { BuildPin } from './build.ts';
import { type CircuitOptions, validateCircuit } from './circuit.ts';
import type { RetryAnswer } from './decide-ending.ts';
import { describeValue, invalidOption, LineshaftError } from './errors.ts';
import { fieldsOf, oneOf, refuseUnknown, wholeNumber } from './fields.ts';
import type { AttemptLimits, Backoff } from './job-options.ts';
import { validateLimits } from './limits.ts';
import { executorNames, type QueueExecutor, validateQueueName } from './queue.ts';
import { validateBackoff } from './retry.ts';
import { type RetryRule, validateRetryRules } from './retry-rules.ts';
import type { StandardSchema, StandardSchemaIssue, StandardSchemaResult } from './standard-schema.ts';
import { type RequestDefaults, validateKind } from './validate-job.ts';

/** What all jobs of a kind have in common. Everything may be left out. */
export interface KindDefinition<Payload = unknown> {
  /**
   * Checks payloads when they are enqueued and before the handler: any Standard Schema (zod, valibot, arktype
   * …). What was sent is stored; the handler gets what the schema makes of it.
   */
  readonly schema?: StandardSchema<unknown, Payload>;
  /** Version of the payload that this code sends and understands, 1 to 32,767. Default 1. */
  readonly version?: number;
  /**
   * Makes a payload of this version of one of an older version; must be given with a `version` above 1.
   * Called when the job is claimed, with the version in which it was sent; what was sent stays stored. Not
   * asynchronous.
   */
  readonly upgrade?: (from: number, payload: unknown) => Payload;
  /**
   * Which builds may run the job: `none` (default) any that knows the kind, `min` the one that enqueued it
   * and later ones, `exact` only the one that enqueued it.
   */
  readonly pin?: BuildPin;
  /** Default: the executor of the queue. */
  readonly executor?: QueueExecutor;
  /** Name of the queue of jobs that name none. Default `default`. */
  readonly queue?: string;
  /**
   * How many of its jobs one worker runs at once, of whichever queues, 1 to 10,000. Default: as many as the worker and the
   * queues allow. Over all workers: a limit (`declareLimit`).
   */
  readonly concurrency?: number;
  /** Amounts that its jobs need where they say nothing: `{ gpu: 1 }`. Default: those of the queue. */
  readonly needs?: GivenAmounts;
  /** Of jobs that have none of their own. Default: those of the queue. */
  readonly limits?: AttemptLimits;
  /** Of jobs that have none of their own, 1 to 1,000. Default: that of the queue. */
  readonly maxAttempts?: number;
  /** Of jobs that have none of their own. Default: that of the queue. */
  readonly backoff?: Backoff;
  /** What to do after certain errors; tried before those of the queue. At most 20. Default: none. */
  readonly retryRules?: readonly RetryRule[];
  /** Decides after each failed attempt, before all rules; see `RetryFunction`. Default: none. */
  readonly retry?: RetryFunction;
  /**
   * Leaves the kind alone for a while when too many of its attempts fail; `true` for all defaults. Default: no
   * circuit breaker. What is set as data (`setCircuit`) goes before it.
   */
  readonly circuit?: CircuitOptions | true;
}

/**
 * Decides how a failed attempt is tried again: milliseconds from now (0 to 30 days), `'fail'` for a dead letter, or
 * undefined for what rules and back-off say. It runs in the worker, whatever the executor; may take one second
 * (a promise is awaited so long); where it throws, is late or answers something else, that is logged, and rules
 * and back-off decide. It is not asked where the error says that it is not retryable, nor past `maxAttempts`.
 *
 * @param error name, message, code and stack of what was thrown
 * @param attempt the number of the attempt that failed, 1 for the first
 * @example retry: (error) => (error.code === 'RATE_LIMITED' ? 60_000 : undefined)
 */
export type RetryFunction = (error: ErrorRecord, attempt: number) => RetryAnswer | Promise<RetryAnswer>;

/** Payload types by kind. */
export type KindMap = object;

/** The kinds of an application: their payload types, and the definitions of those that have one. */
export interface Kinds<Map extends KindMap = KindMap> {
  /** By kind. A kind without a definition is as good as one with an empty definition. Has no prototype. */
  readonly definitions: { readonly [Kind in KindName<Map>]?: KindDefinition<Map[Kind]> };
  /** Holds the types; never there at run time. */
  readonly payloads?: Map;
}

/** The names of the kinds of a `KindMap`. */
export type KindName<Map> = Extract<keyof Map, string>;

/** The payload type of a kind of `Kinds`. */
export type PayloadOf<From extends Kinds, Kind extends string> =
  From extends Kinds<infer Map> ? (Kind extends keyof Map ? Map[Kind] : never) : never;

/**
 * Names the kinds of an application and the types of their payloads.
 *
 * @param definitions Of those kinds that need one.
 * @throws OPTION_INVALID and OPTION_UNKNOWN, with the kind and the field.
 * @example
 * const kinds = defineKinds<{ 'send-email': { to: string }; 'clean-up': { olderThanDays: number } }>({
 *   'send-email': { schema: z.object({ to: z.email() }), version: 2, upgrade: (_from, old) => ({ to:
 * String(old) }) }, });
 */
export function defineKinds<Map extends KindMap>(
  definitions: { readonly [Kind in KindName<Map>]?: KindDefinition<Map[Kind]> | undefined } = {},
): Kinds<Map> {
  const checked: Record<string, KindDefinition> = Object.create(null);
  for (const [kind, definition] of Object.entries(fieldsOf(definitions, 'kinds'))) {
    if (definition !== undefined) checked[validateKind(kind)] = validateDefinition(kind, definition);
  }
  return { definitions: checked } as unknown as Kinds<Map>;
}

const definitionChecks = {
  schema: validateSchema,
  version: (value, field) => wholeNumber(value, field, 1, 32_767),
  upgrade: validateUpgrade,
  pin: (value, field) => oneOf(value, field, ['none', 'min', 'exact']),
  executor: (value, field) => oneOf(value, field, executorNames),
  queue: validateQueueName,
  concurrency: (value, field) => wholeNumber(value, field, 1, 10_000),
  needs: validateAmounts,
  limits: validateLimits,
  maxAttempts: (value, field) => wholeNumber(value, field, 1, 1_000),
  backoff: validateBackoff,
  retryRules: validateRetryRules,
  retry: validateRetry,
  circuit: validateCircuit,
} satisfies {
  [Name in keyof KindDefinition]-?: (value: unknown, field: string) => Required<KindDefinition>[Name];
};

const definitionFields = Object.entries(definitionChecks) as readonly [
  string,
  (value: unknown, field: string) => unknown,
][];

function validateDefinition(kind: string, value: unknown): KindDefinition {
  const prefix = `kinds['${kind}'].`;
  const fields = fieldsOf(value, `kinds['${kind}']`);
  refuseUnknown(fields, Object.keys(definitionChecks), prefix);
  const checked: Record<string, unknown> = {};
  for (const [name, check] of definitionFields) {
    if (fields[name] !== undefined) checked[name] = check(fields[name], prefix + name);
  }
  const { version = 1, upgrade } = checked as KindDefinition;
  if (version > 1 && upgrade === undefined) {
    throw invalidOption(`${prefix}upgrade`, upgrade, `a function, because the version is ${version}`);
  }
  return checked as KindDefinition;
}

/** What may be said of a kind where its handler is registered. */
export type HandlingOptions = Pick<KindDefinition, 'retryRules' | 'retry' | 'circuit' | 'concurrency'>;

const handlingNames = [
  'retryRules',
  'retry',
  'circuit',
  'concurrency',
] as const satisfies readonly (keyof HandlingOptions)[];

/** @throws OPTION_INVALID and OPTION_UNKNOWN, with the kind and the field. */
export function validateHandling(kind: string, value: unknown): HandlingOptions {
  const prefix = `handle('${kind}').`;
  const fields = fieldsOf(value, `handle('${kind}')`);
  refuseUnknown(fields, handlingNames, prefix);
  const checked: Record<string, unknown> = {};
  for (const name of handlingNames) {
    if (fields[name] !== undefined) checked[name] = definitionChecks[name](fields[name], prefix + name);
  }
  return checked;
}

function validateSchema(value: unknown, field: string): StandardSchema {
  // Some libraries make their schemas functions.
  const standard = (value as { '~standard'?: { version?: unknown; validate?: unknown } } | null)?.[
    '~standard'
  ];
  if (standard?.version === 1 && typeof standard.validate === 'function') return value as StandardSchema;
  throw invalidOption(
    field,
    value,
    'a Standard Schema of version 1, as zod 3.24, valibot 1 and arktype 2 make them',
  );
}

function validateUpgrade(value: unknown, field: string): (from: number, payload: unknown) => unknown {
  if (typeof value === 'function') return value as (from: number, payload: unknown) => unknown;
  throw invalidOption(field, value, 'a function (from, payload) => payload');
}

function validateRetry(value: unknown, field: string): RetryFunction {
  if (typeof value === 'function') return value as RetryFunction;
  throw invalidOption(field, value, "a function (error, attempt) => milliseconds, 'fail' or undefined");
}

/**
 * What a kind adds to each of its requests (see `validateRequest`). Make it once per kind, and pass the same
 * object each time: requests with the same one are checked faster.
 *
 * @param build The build of this process; kept with the job where the kind is pinned.
 */
export function requestDefaults(
  definition: KindDefinition | undefined,
  build: string,
): RequestDefaults | undefined {
  if (definition === undefined) return undefined;
  const { queue, maxAttempts, backoff, limits, version = 1, pin = 'none' } = definition;
  // They were checked, and made numbers, by `defineKinds`.
  const needs = definition.needs as Amounts | undefined;
  const defaults: RequestDefaults = {
    ...(queue === undefined ? {} : { queue }),
    ...(maxAttempts === undefined ? {} : { maxAttempts }),
    ...(backoff === undefined ? {} : { backoff }),
    ...(needs === undefined ? {} : { needs }),
    ...(limits === undefined ? {} : { limits }),
    ...(version === 1 ? {} : { version }),
    ...(pin === 'none' ? {} : { pin, build }),
  };
  return Object.keys(defaults).length === 0 ? undefined : defaults;
}

/**
 * Checks a payload by the schema of its kind, and answers what the schema made of it; without a schema, the
 * payload.
 *
 * At once where the schema answers at once, otherwise as a promise.
 * @throws PAYLOAD_INVALID with the kind and with place and message of each issue (`details.issues`), never
 * the payload; also where the schema itself throws, which is then the cause.
 */
export function checkPayload<Payload>(
  kind: string,
  definition: KindDefinition<Payload> | undefined,
  payload: unknown,
): Payload | Promise<Payload> {
  const schema = definition?.schema;
  if (schema === undefined) return payload as Payload;
  try {
    const result = schema['~standard'].validate(payload);
    if (!(result instanceof Promise)) return checkedValue(result, kind);
    return result.then(
      (settled) => checkedValue(settled, kind),
      (cause: unknown) => {
        throw schemaThrew(cause, kind);
      },
    );
  } catch (cause) {
    throw cause instanceof LineshaftError ? cause : schemaThrew(cause, kind);
  }
}

const issuesNamed = 10;

function checkedValue<Payload>(result: StandardSchemaResult<Payload>, kind: string): Payload {
  if (result.issues === undefined) return result.value;
  const issues = result.issues
    .slice(0, issuesNamed)
    .map((issue) => ({ path: pathOf(issue), message: issue.message }));
  const more = result.issues.length - issues.length;
  const list = issues.map(({ path, message }) => `${path}: ${message}`);
  if (more > 0) list.push(`and ${more} more`);
  throw new LineshaftError('PAYLOAD_INVALID', {
    message: `payload of kind '${kind}' does not fit its schema: ${list.join('; ')}`,
    details: { kind, issues },
  });
}

function pathOf(issue: StandardSchemaIssue): string {
  const steps = (issue.path ?? []).map((step) => (typeof step === 'object' ? step.key : step));
  return `payload${steps.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('')}`;
}

function schemaThrew(cause: unknown, kind: string): LineshaftError {
  return new LineshaftError('PAYLOAD_INVALID', {
    message: `the schema of kind '${kind}' threw instead of answering`,
    details: { kind },
    cause,
  });
}

/**
 * Brings a payload to the version of its kind; one that has it already is answered as it is.
 *
 * @param from The version in which it was sent.
 * @throws UPGRADE_FAILED with the cause where `upgrade` throws or is asynchronous, and where the payload is
 * newer than this code.
 */
export function upgradePayload<Payload>(
  definition: KindDefinition<Payload> | undefined,
  from: number,
  payload: unknown,
): Payload {
  const version = definition?.version ?? 1;
  if (from === version) return payload as Payload;
  const details = { from, version };
  if (from > version || definition?.upgrade === undefined) {
    throw new LineshaftError('UPGRADE_FAILED', {
      message: `the payload has version ${from}, and this build knows its kind up to version ${version}`,
      details,
    });
  }
  let upgraded: Payload;
  try {
    upgraded = definition.upgrade(from, payload);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : describeValue(cause);
    throw new LineshaftError('UPGRADE_FAILED', {
      message: `upgrade of the payload from version ${from} to ${version} threw: ${reason}`,
      details,
      cause,
    });
  }
  if (upgraded instanceof Promise) {
    upgraded.catch(() => undefined);
    throw new LineshaftError('UPGRADE_FAILED', {
      message: `upgrade of the payload must answer at once, not with a promise`,
      details,
    });
  }
  return upgraded;
}
