/**
 * How fields of the caller's are checked: what is wrong is refused with the field, the value and the remedy.
 * Every validation of the domain is made of these. Pure.
 */

import { describeValue, invalidOption, LineshaftError } from './errors.ts';
import { didYouMean, suggest } from './suggest.ts';

/** An object of the caller's whose fields are not known yet. */
export type Fields = Readonly<Record<string, unknown>>;

/** The longest time that any option in milliseconds may name: ten years of 365 days, as in SQL. */
export const maxDurationMs = 315_360_000_000;

/** The value as an object with fields; refuses arrays, dates, Maps and what is no object (OPTION_INVALID). */
export function fieldsOf(value: unknown, field: string): Fields {
  if (typeof value === 'object' && value !== null && isFieldObject(value)) return value as Fields;
  throw invalidOption(field, value, 'an object');
}

function isFieldObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return true;
  return Object.prototype.toString.call(value) === '[object Object]';
}

/** Refuses the first field that is not known (OPTION_UNKNOWN), and suggests the one that was meant. */
export function refuseUnknown(fields: Fields, known: readonly string[], prefix = ''): void {
  for (const name in fields) {
    if (!known.includes(name)) throw unknownOption(name, known, prefix);
  }
}

/** The error for an option whose name does not exist. */
export function unknownOption(name: string, known: readonly string[], prefix = ''): LineshaftError {
  const meant = suggest(name, known);
  const remedy = meant === undefined ? `options: ${known.join(', ')}` : `did you mean '${prefix}${meant}'?`;
  return new LineshaftError('OPTION_UNKNOWN', {
    message: `there is no option ${describeValue(prefix + name)}; ${remedy}`,
    details: { field: prefix + name, ...(meant === undefined ? {} : { suggestion: prefix + meant }) },
  });
}

/** A whole number from `low` to `high`; texts of digits are refused (OPTION_INVALID). */
export function wholeNumber(value: unknown, field: string, low: number, high: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high) return value + 0;
  throw invalidOption(field, value, `a whole number from ${low} to ${high}`);
}

/** Any number from `low` to `high`, never NaN (OPTION_INVALID). */
export function anyNumber(value: unknown, field: string, low: number, high: number): number {
  if (typeof value === 'number' && value >= low && value <= high) return value;
  throw invalidOption(field, value, `a number from ${low} to ${high}`);
}

/** A text of `low` to `high` characters (UTF-16 units) that PostgreSQL can keep (OPTION_INVALID). */
export function boundedText(value: unknown, field: string, low: number, high: number): string {
  if (typeof value !== 'string' || value.length < low || value.length > high) {
    throw invalidOption(field, value, `a text of ${low} to ${high} characters`);
  }
  return storableText(value, field);
}

/**
 * Refuses a text that PostgreSQL cannot keep: with a NUL character or half a surrogate pair (OPTION_INVALID).
 */
export function storableText(value: string, field: string): string {
  if (value.includes('\u0000')) {
    throw new LineshaftError('OPTION_INVALID', {
      message: `${field} has a NUL character, which PostgreSQL cannot keep; remove it`,
      details: { field },
    });
  }
  if (!value.isWellFormed()) {
    throw new LineshaftError('OPTION_INVALID', {
      message: `${field} has half of a surrogate pair (a broken character); use toWellFormed()`,
      details: { field },
    });
  }
  return value;
}

/** One of the given texts; suggests the one that was meant (OPTION_INVALID). */
export function oneOf<const Choice extends string>(
  value: unknown,
  field: string,
  choices: readonly Choice[],
): Choice {
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  const hint = typeof value === 'string' ? didYouMean(value, choices) : '';
  throw new LineshaftError('OPTION_INVALID', {
    message: `${field} must be ${listOf(choices)}, not ${describeValue(value)}${hint}`,
    details: { field },
  });
}

/** A list of at most `most` entries (OPTION_INVALID). */
export function listOfAtMost(value: unknown, field: string, most: number): readonly unknown[] {
  if (!Array.isArray(value)) throw invalidOption(field, value, 'an array');
  if (value.length > most) {
    throw new LineshaftError('OPTION_INVALID', {
      message: `${field} must have at most ${most} entries, not ${value.length}`,
      details: { field },
    });
  }
  return value;
}

const isoTime =
  /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:Z|([+-]\d\d)(?::?(\d\d))?)$/i;

/**
 * A time: a valid Date, or an ISO 8601 text with a zone (`Z` or an offset such as `+02:00`), in the years 1
 * to 9999.
 *
 * Answers a new Date; a part of a millisecond is rounded up, so that "not before" stays true.
 * @throws OPTION_INVALID for an invalid Date, a text without a zone, a day that does not exist, and anything
 * else.
 */
export function timeOf(value: unknown, field: string): Date {
  const time =
    value instanceof Date ? value.getTime() : typeof value === 'string' ? parseTime(value) : Number.NaN;
  if (time >= firstTime && time <= lastTime) return new Date(time);
  throw invalidOption(
    field,
    value,
    `a valid Date, or an ISO 8601 text with a zone like '2030-01-31T08:00:00Z'`,
  );
}

const firstTime = Date.parse('0001-01-01T00:00:00.000Z');
const lastTime = Date.parse('9999-12-31T23:59:59.999Z');

function parseTime(text: string): number {
  const found = isoTime.exec(text);
  if (found === null) return Number.NaN;
  const [, year, month, day, hour, minute, second = '00', fraction = '', zoneHours, zoneMinutes = '00'] =
    found;
  const zone = zoneHours === undefined ? 'Z' : `${zoneHours}:${zoneMinutes}`;
  const midnight = new Date(`${year}-${month}-${day}T00:00:00Z`);
  if (midnight.getUTCDate() !== Number(day) || Number(hour) > 23) return Number.NaN;
  const whole = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}${zone}`);
  const roundedUp = /[1-9]/.test(fraction.slice(3)) ? 1 : 0;
  return whole + Number(fraction.slice(0, 3).padEnd(3, '0')) + roundedUp;
}

function listOf(choices: readonly string[]): string {
  const quoted = choices.map((choice) => `'${choice}'`);
  return quoted.length < 2 ? quoted.join('') : `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`;
}
