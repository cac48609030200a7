/**
 * The rules for requests to enqueue, as in the SQL function `check_template` and stricter: a caller in
 * TypeScript hears of a mistake before anything is sent. Pure.
 */

import { type Amounts, validateAmounts } from './amounts.ts';
import { invalidOption, LineshaftError } from './errors.ts';
import * as check from './fields.ts';
import type { AttemptLimits, Backoff, EnqueueOptions, Retention, UniqueState } from './job-options.ts';
import { type Under, validateUnder } from './limit.ts';
import { validateLimits, validateRetention } from './limits.ts';
import { jsonText, payloadToText, utf8Bytes } from './payload-text.ts';
import { validateProjectName, validateQueueName } from './queue.ts';
import { validateBackoff } from './retry.ts';
import { maxRequirements, validateTagPatterns } from './tags.ts';
import { isUuidV7 } from './uuid.ts';
import { maxPreferMs } from './wants.ts';

/**
 * What many jobs have in common, as the SQL function `enqueue_many` takes it. Only what was given is there.
 */
export interface Template {
  readonly kind: string;
  readonly queue?: string;
  readonly project?: string;
  readonly priority?: number;
  /** ISO 8601, in UTC, to the millisecond. */
  readonly runAt?: string;
  readonly delayMs?: number;
  readonly maxAttempts?: number;
  readonly backoff?: Backoff;
  /** There, if only as `{}`, where the job has a unique key; the key itself goes apart. */
  readonly unique?: TemplateUnique;
  readonly requirements?: readonly string[];
  readonly needs?: Amounts;
  readonly prefers?: readonly string[];
  readonly preferMs?: number;
  readonly limits?: AttemptLimits;
  readonly under?: readonly Under[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly meta?: Readonly<Record<string, unknown>>;
  readonly retention?: Retention;
  /** Version of the payload; absent: 1. */
  readonly version?: number;
  readonly pin?: 'min' | 'exact';
  /** The build that the job is pinned to; with `pin` only. */
  readonly build?: string;
}

export interface TemplateUnique {
  readonly states?: readonly UniqueState[];
  readonly keepMs?: number;
  readonly onConflict?: 'keep' | 'replace' | 'debounce' | 'throttle';
}

/** What a kind adds to each of its requests; a request's own options go before. See `requestDefaults`. */
export interface RequestDefaults {
  readonly queue?: string;
  readonly maxAttempts?: number;
  readonly backoff?: Backoff;
  readonly needs?: Amounts;
  readonly limits?: AttemptLimits;
  readonly version?: number;
  readonly pin?: 'min' | 'exact';
  readonly build?: string;
}

export interface RequestSettings {
  /** Most bytes of a payload. Default 1 MiB. */
  readonly payloadMaxBytes?: number;
  /** Of the request's kind; they were checked when the kind was defined. */
  readonly defaults?: RequestDefaults | undefined;
}

/** A request that may be sent. */
export interface ValidRequest {
  readonly kind: string;
  /** The caller's UUIDv7 in lower case; undefined: it needs one. */
  readonly id: string | undefined;
  readonly payloadText: string;
  readonly template: Template;
  /** Equal for requests that may share a template. */
  readonly templateKey: string;
  readonly uniqueKey: string | undefined;
}

export const defaultPayloadMaxBytes = 1_048_576;
const metaMaxBytes = 16_384;
const maxLabels = 20;

const kindPattern = /^[A-Za-z0-9_][A-Za-z0-9_.:/@-]{0,199}$/;

/**
 * The name of a kind: 1 to 200 letters, digits or `_ . : / @ -`, starting with a letter, digit or `_`
 * (OPTION_INVALID).
 */
export function validateKind(value: unknown, field = 'kind'): string {
  if (typeof value === 'string' && kindPattern.test(value)) return value;
  throw invalidOption(
    field,
    value,
    "1 to 200 letters, digits or '_ . : / @ -', starting with a letter, digit or '_'",
  );
}

/** Checks of the options that go into a template, in the order in which they stand there. */
const templateChecks = {
  queue: (value) => validateQueueName(value),
  project: (value) => validateProjectName(value),
  priority: (value) => check.wholeNumber(value, 'priority', -32_768, 32_767),
  runAt: (value) => check.timeOf(value, 'runAt').toISOString(),
  delayMs: (value) => check.wholeNumber(value, 'delayMs', 0, check.maxDurationMs),
  maxAttempts: (value) => check.wholeNumber(value, 'maxAttempts', 1, 1_000),
  backoff: (value) => validateBackoff(value),
  unique: (value) => validateUnique(value),
  requirements: (value) => [...validateTagPatterns(value, 'requirements', maxRequirements)].sort(),
  needs: (value) => validateAmounts(value, 'needs'),
  prefers: (value) => [...validateTagPatterns(value, 'prefers', maxRequirements)].sort(),
  preferMs: (value) => check.wholeNumber(value, 'preferMs', 0, maxPreferMs),
  limits: (value) => validateLimits(value),
  under: (value) => validateUnder(value),
  labels: (value) => validateLabels(value),
  meta: (value) => validateMeta(value),
  retention: (value) => validateRetention(value),
} satisfies { [Name in Exclude<keyof EnqueueOptions, 'id'>]-?: (value: unknown) => Template[Name] };

const templateFields = Object.entries(templateChecks) as readonly [string, (value: unknown) => unknown][];
const optionNames = ['id', ...Object.keys(templateChecks)];
const requestNames: ReadonlySet<string> = new Set(['kind', 'payload', ...optionNames]);

/**
 * A request to enqueue, checked, with its payload as text and its options as a template.
 *
 * Options that are undefined count as not given. Nothing of the request is kept: it may be changed
 * afterwards.
 * @throws OPTION_UNKNOWN for an option that does not exist, with the one that was meant; OPTION_INVALID for a
 * value out of its range, with the field, the value and the range; PAYLOAD_INVALID, PAYLOAD_TOO_LARGE.
 * @example validateRequest({ kind: 'send-email', payload: { to }, queue: 'mail', delayMs: 60_000 })
 */
export function validateRequest(request: unknown, settings: RequestSettings = {}): ValidRequest {
  const fields = check.fieldsOf(request, 'job');
  const kind = fields.kind === last.kind ? last.kind : validateKind(fields.kind);
  const { template, templateKey } = templateFor(kind, fields, settings.defaults);
  return {
    kind,
    id: fields.id === undefined ? undefined : validateId(fields.id),
    payloadText: payloadToText(fields.payload, settings.payloadMaxBytes ?? defaultPayloadMaxBytes),
    template,
    templateKey,
    uniqueKey: fields.unique === undefined ? undefined : (fields.unique as { key: string }).key,
  };
}

interface KeyedTemplate {
  readonly template: Template;
  readonly templateKey: string;
}

/**
 * The last template of which all options were plain values, and those options: in bulk, most jobs are like
 * the one before. Saves two thirds of the time of a check. It starts as if a job of the kind `job` had gone
 * before.
 */
let last: KeyedTemplate & {
  readonly kind: string;
  readonly defaults: RequestDefaults | undefined;
  readonly options: ReadonlyMap<string, unknown>;
} = { ...makeTemplate('job', {}, undefined), kind: 'job', defaults: undefined, options: new Map() };

function templateFor(
  kind: string,
  fields: check.Fields,
  defaults: RequestDefaults | undefined,
): KeyedTemplate {
  let plain = true;
  let like = kind === last.kind && defaults === last.defaults;
  let given = 0;
  for (const name in fields) {
    if (name === 'kind' || name === 'payload' || name === 'id') continue;
    if (!requestNames.has(name)) throw check.unknownOption(name, optionNames);
    const value = fields[name];
    if (value === undefined) continue;
    given++;
    plain &&= typeof value !== 'object';
    like &&= last.options.get(name) === value;
  }
  if (like && given === last.options.size) return last;
  const made = makeTemplate(kind, fields, defaults);
  if (plain) {
    const options = optionNames.filter((name) => name !== 'id' && fields[name] !== undefined);
    last = { ...made, kind, defaults, options: new Map(options.map((name) => [name, fields[name]])) };
  }
  return made;
}

function makeTemplate(
  kind: string,
  fields: check.Fields,
  defaults: RequestDefaults | undefined,
): KeyedTemplate {
  const template: Record<string, unknown> = { kind };
  for (const [name, checked] of templateFields) {
    const given = fields[name];
    if (given !== undefined) template[name] = checked(given);
  }
  if (template.runAt !== undefined && template.delayMs !== undefined) {
    throw new LineshaftError('OPTION_INVALID', {
      message: 'runAt and delayMs cannot be given together; leave one of them out',
      details: { field: 'delayMs' },
    });
  }
  if (template.preferMs !== undefined && !((template.prefers as string[] | undefined)?.length ?? 0)) {
    throw new LineshaftError('OPTION_INVALID', {
      message: 'preferMs needs the tags that are preferred; give prefers, or leave it out',
      details: { field: 'preferMs' },
    });
  }
  if (defaults !== undefined) {
    for (const [name, given] of Object.entries(defaults)) {
      if (given !== undefined) template[name] ??= given;
    }
  }
  return { template: template as unknown as Template, templateKey: JSON.stringify(template) };
}

function validateId(value: unknown): string {
  if (typeof value === 'string' && isUuidV7(value)) return value.toLowerCase();
  throw invalidOption('id', value, 'a UUID of version 7 (or left out: then it is made)');
}

const uniqueStates = ['waiting', 'running', 'succeeded', 'failed', 'cancelled'] as const;

function validateUnique(value: unknown): TemplateUnique {
  const fields = check.fieldsOf(value, 'unique');
  check.refuseUnknown(fields, ['key', 'states', 'keepMs', 'onConflict'], 'unique.');
  check.boundedText(fields.key, 'unique.key', 1, 500);
  const { states, keepMs, onConflict } = fields;
  const covered = states === undefined ? undefined : validateStates(states);
  if (keepMs !== undefined && !covered?.some((state) => state !== 'waiting' && state !== 'running')) {
    throw new LineshaftError('OPTION_INVALID', {
      message:
        "unique.keepMs needs 'succeeded', 'failed' or 'cancelled' in unique.states; add one, or leave it out",
      details: { field: 'unique.keepMs' },
    });
  }
  return {
    ...(covered === undefined ? {} : { states: covered }),
    ...(keepMs === undefined
      ? {}
      : { keepMs: check.wholeNumber(keepMs, 'unique.keepMs', 1, check.maxDurationMs) }),
    ...(onConflict === undefined
      ? {}
      : {
          onConflict: check.oneOf(onConflict, 'unique.onConflict', [
            'keep',
            'replace',
            'debounce',
            'throttle',
          ]),
        }),
  };
}

/** The states that are covered, in one order; `waiting` always is. */
function validateStates(value: unknown): readonly UniqueState[] {
  const given = check
    .listOfAtMost(value, 'unique.states', 20)
    .map((state, place) => check.oneOf(state, `unique.states[${place}]`, uniqueStates));
  return uniqueStates.filter((state) => state === 'waiting' || given.includes(state));
}

function validateLabels(value: unknown): Readonly<Record<string, string>> {
  const entries = Object.entries(check.fieldsOf(value, 'labels')).filter(([, text]) => text !== undefined);
  if (entries.length > maxLabels) {
    throw new LineshaftError('OPTION_INVALID', {
      message: `labels must be at most ${maxLabels}, not ${entries.length}`,
      details: { field: 'labels' },
    });
  }
  for (const [key, text] of entries) {
    check.boundedText(key, 'a key of labels', 1, 63);
    check.boundedText(text, `labels.${key}`, 0, 255);
  }
  return Object.fromEntries(entries) as Readonly<Record<string, string>>;
}

function validateMeta(value: unknown): Readonly<Record<string, unknown>> {
  const text = jsonText(check.fieldsOf(value, 'meta'), 'meta', 'OPTION_INVALID');
  const bytes = utf8Bytes(text);
  if (bytes > metaMaxBytes) {
    throw new LineshaftError('OPTION_INVALID', {
      message: `meta has ${bytes} bytes; at most ${metaMaxBytes} are allowed: put the data into the payload`,
      details: { field: 'meta', bytes, maxBytes: metaMaxBytes },
    });
  }
  return JSON.parse(text);
}
