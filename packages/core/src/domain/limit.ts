/**
 * Limits as data: how many jobs may run at once, how many may start in a time, in which order and in whose turn.
 * What a caller declares, and what the database keeps. Pure.
 */

import { invalidOption, LineshaftError } from './errors.ts';
import {
  anyNumber,
  boundedText,
  type Fields,
  fieldsOf,
  listOfAtMost,
  refuseUnknown,
  wholeNumber,
} from './fields.ts';
import { validateProjectName, validateQueueName } from './queue.ts';

/** So many starts (or units of cost) in a time, by a token bucket. */
export interface LimitRate {
  /** Tokens that come in a period, more than 0 to a billion. */
  readonly amount: number;
  /** The period, 1 ms to ten years. */
  readonly perMs: number;
  /** Tokens that are kept at most, 1 to a billion; so many may go at once after a rest. Default `amount`, at least 1. */
  readonly burst?: number;
  /**
   * Not a bucket but a window: so many may go at once, and in no stretch of time of this length go more. Needs a whole
   * `amount`, and no `burst`. Tiers of the limit are windows too. Default false.
   */
  readonly sliding?: boolean;
}

/** A rate as it is stored. */
export type KeptRate = Required<Omit<LimitRate, 'sliding'>> & Pick<LimitRate, 'sliding'>;

/** What keys have whose pattern fits; what is left out is as in the limit. */
export interface LimitTier {
  /** A pattern for the whole key, in which `*` stands for anything: `gold-*`. */
  readonly keys: string;
  readonly concurrency?: number;
  readonly rate?: LimitRate;
  /** With `fair`: how many turns for one of the others, 0.01 to 1,000. Default 1. */
  readonly weight?: number;
}

/**
 * Where the key of a job comes from: a path into its payload (`{ payload: 'tenant.id' }`), a label (`{ label: 'tenant' }`),
 * the call (`'given'`, see `under`), or nowhere (`'none'`): then all its jobs share one counter. A job without a value there
 * has the empty key.
 */
export type LimitKey = 'none' | 'given' | { readonly payload: string } | { readonly label: string };

/** What a caller says of a limit; what is left out keeps its value, or has its default in a new limit. */
export interface LimitDeclaration {
  /** 1 to 63 letters, digits or `_ . -`; unique in its project. */
  readonly name: string;
  /** Default `default`. */
  readonly project?: string;
  /** How many jobs may run at once, per key, over all workers; 0: none. `null` or never given: any number. */
  readonly concurrency?: number | null;
  /** How many may start in a time, per key. `null` or never given: any number. */
  readonly rate?: LimitRate | null;
  /**
   * Jobs of a key run one after the other, by time and order of enqueueing; the next starts when the one before is final: one that
   * retries or snoozes keeps its key. Not together with `concurrency`, `rate` or `tiers`. Cannot be changed later.
   */
  readonly fifo?: boolean;
  /** Keys take turns, by the weights of `tiers`, whatever each has waiting. Cannot be changed later. Default false. */
  readonly fair?: boolean;
  /** What certain keys have: the first that fits. At most 100. `null`: none. */
  readonly tiers?: readonly LimitTier[] | null;
  /** Default `'none'`. Cannot be changed later. */
  readonly key?: LimitKey;
  /** What a job takes of it: a number from 1, or where in its payload that number is. Default 1. */
  readonly cost?: number | { readonly payload: string };
  /** Jobs of these queues come under it. With `kinds` both must fit. At most 100. `null`: of any. */
  readonly queues?: readonly string[] | null;
  /** Jobs of these kinds come under it. At most 100. `null`: of any. */
  readonly kinds?: readonly string[] | null;
  /** All jobs of the project come under it. Default false: with neither queues nor kinds only those that name it. */
  readonly wholeProject?: boolean;
}

/** A limit as it is stored. */
export interface Limit {
  readonly id: number;
  readonly project: string;
  readonly name: string;
  readonly concurrency: number | undefined;
  readonly rate: KeptRate | undefined;
  readonly fifo: boolean;
  readonly fair: boolean;
  readonly tiers: readonly LimitTier[];
  readonly key: LimitKey;
  readonly cost: number | { readonly payload: string };
  readonly queues: readonly string[] | undefined;
  readonly kinds: readonly string[] | undefined;
  readonly wholeProject: boolean;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** A limit that a job names: by name alone, or with its key and what it takes of it. */
export type Under =
  | string
  | {
      readonly limit: string;
      /** Of the job in this limit; goes before what the limit says. At most 1,000 bytes. */
      readonly key?: string;
      /** What the job takes of it, 1 to a billion; goes before what the limit says. */
      readonly cost?: number;
    };

const most = 1_000_000_000;
const maxPeriodMs = 315_360_000_000;
const names = [
  'name',
  'project',
  'concurrency',
  'rate',
  'fifo',
  'fair',
  'tiers',
  'key',
  'cost',
  'queues',
  'kinds',
  'wholeProject',
];

/**
 * A declaration of a limit, checked, as the settings of `declare_limit.sql`.
 *
 * @throws OPTION_INVALID, OPTION_UNKNOWN with the field, as `tiers[2].rate.amount`
 */
export function validateLimit(value: unknown): {
  name: string;
  project: string;
  settings: Record<string, unknown>;
} {
  const fields = fieldsOf(value, 'limit');
  refuseUnknown(fields, names);
  const name = validateQueueName(fields.name, 'name');
  const project = fields.project === undefined ? 'default' : validateProjectName(fields.project);
  const settings: Record<string, unknown> = {};
  if (fields.concurrency !== undefined)
    settings.concurrency = orNull(fields.concurrency, (given) => wholeNumber(given, 'concurrency', 0, most));
  if (fields.rate !== undefined)
    Object.assign(settings, rateColumns(orNull(fields.rate, (given) => rateOf(given, 'rate'))));
  for (const flag of ['fifo', 'fair', 'wholeProject'] as const) {
    const given = fields[flag];
    if (given === undefined) continue;
    if (typeof given !== 'boolean') throw invalidOption(flag, given, 'true or false');
    settings[flag === 'wholeProject' ? 'whole_project' : flag] = given;
  }
  if (fields.tiers !== undefined) {
    settings.tiers = orNull(fields.tiers, (given) =>
      listOfAtMost(given, 'tiers', 100).map((tier, place) => tierOf(tier, `tiers[${place}]`)),
    );
  }
  if (fields.key !== undefined) Object.assign(settings, keyColumns(fields.key));
  if (fields.cost !== undefined) Object.assign(settings, costColumns(fields.cost));
  if (fields.queues !== undefined)
    settings.queues = orNull(fields.queues, (given) => namesOf(given, 'queues', validateQueueName));
  if (fields.kinds !== undefined)
    settings.kinds = orNull(fields.kinds, (given) =>
      namesOf(given, 'kinds', (kind, at) => boundedText(kind, at, 1, 200)),
    );
  if (settings.fifo === true) demandAlone(fields);
  if (settings.sliding === true) demandWindows(settings.tiers);
  return { name, project, settings };
}

/** The limits that a job names, checked; at most 8. */
export function validateUnder(value: unknown, field = 'under'): readonly Under[] {
  const list = typeof value === 'string' ? [value] : listOfAtMost(value, field, 8);
  const seen = new Set<string>();
  return list.map((entry, place) => {
    const at = `${field}[${place}]`;
    const fields = typeof entry === 'string' ? { limit: entry } : fieldsOf(entry, at);
    refuseUnknown(fields, ['limit', 'key', 'cost'], `${at}.`);
    const { key, cost } = fields as Fields;
    const limit = validateQueueName((fields as Fields).limit, `${at}.limit`);
    if (seen.has(limit)) throw invalidOption(`${at}.limit`, limit, 'a limit that is not named before');
    seen.add(limit);
    if (key === undefined && cost === undefined) return limit;
    return {
      limit,
      ...(key === undefined ? {} : { key: boundedText(key, `${at}.key`, 0, 1_000) }),
      ...(cost === undefined ? {} : { cost: wholeNumber(cost, `${at}.cost`, 1, most) }),
    };
  });
}

/** Whether limits are declared, and whether rates are among them. @param rows of `list_limits.sql`, texts by place */
export function limitsAtWork(rows: readonly Fields[]): { any: boolean; rated: boolean } {
  const rated = (row: Fields): boolean =>
    row.rate != null || JSON.stringify(row.tiers ?? null).includes('rate');
  return { any: rows.length > 0, rated: rows.some(rated) };
}

/** A limit from its row by column names, with the name of its `project`. */
export function limitFromRow(row: Fields): Limit {
  const path = (value: unknown): string => (value as string[]).join('.');
  const key: LimitKey =
    row.key_from === 'payload'
      ? { payload: path(row.key_path) }
      : row.key_from === 'label'
        ? { label: path(row.key_path) }
        : (row.key_from as 'none' | 'given');
  return {
    id: Number(row.id),
    project: String(row.project),
    name: String(row.name),
    concurrency: row.concurrency == null ? undefined : Number(row.concurrency),
    rate:
      row.rate == null
        ? undefined
        : {
            amount: Number(row.rate),
            perMs: Number(row.period_ms),
            burst: Number(row.burst),
            ...(row.sliding === true ? { sliding: true } : {}),
          },
    fifo: row.fifo === true,
    fair: row.fair === true,
    tiers: ((row.tiers ?? []) as Fields[]).map(tierFromColumns),
    key,
    cost: row.cost_path == null ? Number(row.cost) : { payload: path(row.cost_path) },
    queues: (row.queues ?? undefined) as string[] | undefined,
    kinds: (row.kinds ?? undefined) as string[] | undefined,
    wholeProject: row.whole_project === true,
    createdAt: row.created_at as Date,
    updatedAt: row.updated_at as Date,
  };
}

function tierFromColumns({ keys, concurrency, rate, periodMs, burst, weight }: Fields): LimitTier {
  return {
    keys: String(keys),
    ...(concurrency == null ? {} : { concurrency: Number(concurrency) }),
    ...(rate == null
      ? {}
      : { rate: { amount: Number(rate), perMs: Number(periodMs), burst: Number(burst) } }),
    ...(weight == null ? {} : { weight: Number(weight) }),
  };
}

function orNull<Checked>(value: unknown, check: (value: unknown) => Checked): Checked | null {
  return value === null ? null : check(value);
}

function rateOf(value: unknown, field: string): KeptRate {
  const fields = fieldsOf(value, field);
  refuseUnknown(fields, ['amount', 'perMs', 'burst', 'sliding'], `${field}.`);
  if (fields.sliding === true) return windowOf(fields, field);
  if (fields.sliding !== undefined && fields.sliding !== false)
    throw invalidOption(`${field}.sliding`, fields.sliding, 'true or false');
  const amount = anyNumber(fields.amount, `${field}.amount`, 0.000001, most);
  return {
    amount,
    perMs: anyNumber(fields.perMs, `${field}.perMs`, 1, maxPeriodMs),
    burst:
      fields.burst === undefined ? Math.max(amount, 1) : anyNumber(fields.burst, `${field}.burst`, 1, most),
  };
}

function windowOf(fields: Fields, field: string): KeptRate {
  if (fields.burst !== undefined)
    throw invalidOption(`${field}.burst`, fields.burst, 'left out together with sliding');
  const amount = wholeNumber(fields.amount, `${field}.amount`, 1, most);
  const perMs = anyNumber(fields.perMs, `${field}.perMs`, 1, maxPeriodMs);
  return { amount, perMs, burst: amount, sliding: true };
}

function rateColumns(rate: KeptRate | null): Record<string, unknown> {
  if (rate === null) return { rate: null, period_ms: null, burst: null, sliding: false };
  return { rate: rate.amount, period_ms: rate.perMs, burst: rate.burst, sliding: rate.sliding ?? false };
}

function tierOf(value: unknown, field: string): Record<string, unknown> {
  const fields = fieldsOf(value, field);
  refuseUnknown(fields, ['keys', 'concurrency', 'rate', 'weight'], `${field}.`);
  const { concurrency, rate, weight } = fields;
  const terms = rate === undefined ? undefined : rateOf(rate, `${field}.rate`);
  if (terms?.sliding === true)
    throw invalidOption(`${field}.rate.sliding`, true, 'said of the rate of the limit, not of a tier');
  return {
    keys: boundedText(fields.keys, `${field}.keys`, 1, 200),
    ...(concurrency === undefined
      ? {}
      : { concurrency: wholeNumber(concurrency, `${field}.concurrency`, 0, most) }),
    ...(terms === undefined ? {} : { rate: terms.amount, periodMs: terms.perMs, burst: terms.burst }),
    ...(weight === undefined ? {} : { weight: anyNumber(weight, `${field}.weight`, 0.01, 1_000) }),
  };
}

function keyColumns(value: unknown): Record<string, unknown> {
  if (value === 'none' || value === 'given') return { key_from: value, key_path: null };
  const fields = fieldsOf(value, 'key');
  refuseUnknown(fields, ['payload', 'label'], 'key.');
  const { payload, label } = fields;
  if ((payload === undefined) === (label === undefined))
    throw invalidOption('key', value, "'none', 'given', { payload: 'a.path' } or { label: 'name' }");
  if (label !== undefined) return { key_from: 'label', key_path: [boundedText(label, 'key.label', 1, 63)] };
  return { key_from: 'payload', key_path: pathOf(payload, 'key.payload') };
}

function costColumns(value: unknown): Record<string, unknown> {
  if (typeof value === 'number') return { cost: wholeNumber(value, 'cost', 1, most), cost_path: null };
  const fields = fieldsOf(value, 'cost');
  refuseUnknown(fields, ['payload'], 'cost.');
  return { cost: 1, cost_path: pathOf(fields.payload, 'cost.payload') };
}

function pathOf(value: unknown, field: string): string[] {
  const steps = boundedText(value, field, 1, 500).split('.');
  if (steps.length > 20 || steps.includes('')) throw invalidOption(field, value, "a path like 'tenant.id'");
  return steps;
}

function namesOf(value: unknown, field: string, check: (name: unknown, field: string) => string): string[] {
  const list = listOfAtMost(value, field, 100).map((name, place) => check(name, `${field}[${place}]`));
  if (list.length === 0) throw invalidOption(field, value, 'at least one name, or null');
  return [...new Set(list)].sort();
}

/** The tiers of a sliding limit are windows too. */
function demandWindows(tiers: unknown): void {
  for (const [place, { rate, burst }] of ((tiers ?? []) as Fields[]).entries()) {
    if (rate !== burst || (rate !== undefined && !Number.isInteger(rate)))
      throw invalidOption(`tiers[${place}].rate`, { amount: rate, burst }, 'a whole amount without burst');
  }
}

function demandAlone(fields: Fields): void {
  for (const other of ['concurrency', 'rate', 'tiers'] as const) {
    if (fields[other] == null) continue;
    throw new LineshaftError('OPTION_INVALID', {
      message: `${other} cannot be given together with fifo, which runs one job of a key at a time; declare another limit for it`,
      details: { field: other },
    });
  }
}
