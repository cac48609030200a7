/**
 * Cron rules: from text to the sets of seconds, minutes, hours, days and months that it names. Five fields (minute, hour,
 * day of month, month, day of week) or six (second first), or a name such as `@daily`. What is wrong is refused with
 * the field and the place. When such a rule comes due is in `cron-next.ts`. Pure.
 */

import { LineshaftError } from './errors.ts';
import { didYouMean } from './suggest.ts';

/** A parsed rule. Lists are sorted; masks have bit n set where n is named. */
export interface CronRule {
  readonly text: string;
  readonly seconds: readonly number[];
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  /** All hours are named: then the rule goes by elapsed time, see `cron-next.ts`. */
  readonly everyHour: boolean;
  /** Bits 1 to 12. */
  readonly months: number;
  readonly monthDays: MonthDays;
  readonly weekDays: WeekDays;
  /** Where both fields of days are restricted: a day fits that fits `either` or only one that fits `both`. */
  readonly days: DayRule;
}

export type DayRule = 'either' | 'both';

interface MonthDays {
  /** The field is `*` or `?`. */
  readonly any: boolean;
  /** Bits 1 to 31. */
  readonly mask: number;
  /** `L` is 0, `L-3` is 3: so many days before the last of the month. */
  readonly beforeLast: readonly number[];
  /** `LW`: the last of Monday to Friday. */
  readonly lastWorkday: boolean;
  /** `15W`: of Monday to Friday the one nearest to the 15th, in the same month. */
  readonly nearestWorkday: readonly number[];
}

interface WeekDays {
  readonly any: boolean;
  /** Bits 0 (Sunday) to 6. */
  readonly mask: number;
  /** `5#2` is [5, 2]: the second Friday. */
  readonly nth: readonly (readonly [number, number])[];
  /** `5L`: the last Friday. */
  readonly last: readonly number[];
}

interface FieldKind {
  readonly name: string;
  readonly low: number;
  readonly high: number;
  readonly names?: readonly string[];
}

const monthNames = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const dayNames = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

const kinds = {
  second: { name: 'second', low: 0, high: 59 },
  minute: { name: 'minute', low: 0, high: 59 },
  hour: { name: 'hour', low: 0, high: 23 },
  monthDay: { name: 'day of month', low: 1, high: 31 },
  month: { name: 'month', low: 1, high: 12, names: monthNames },
  weekDay: { name: 'day of week', low: 0, high: 7, names: dayNames },
} as const satisfies Record<string, FieldKind>;

/** The rules that have a name. */
export const namedRules: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

const textMax = 200;

/** A field with its place in the text, the first character being 1. */
interface Part {
  readonly kind: FieldKind;
  readonly text: string;
  /** 1 for the first field. */
  readonly number: number;
  readonly position: number;
}

/**
 * Parses a rule.
 *
 * @param text 5 or 6 fields with blanks between them. A field is `*`, a value, a range `1-5`, a step (`*` with `/5`, `10-30/5`, `3/5`),
 * or several of these with commas. Months and days of the week also by name (`JAN`, `MON`); Sunday is 0 and 7. Day of
 * month: `L` (the last), `L-3`, `15W` (the nearest of Monday to Friday), `LW`. Day of week: `5L` (the last Friday),
 * `5#2` (the second). `?` is `*` in a field of days. Where both fields of days are restricted, a day that fits one of
 * them is enough, as everywhere since Version 7 Unix.
 * @param days `both` for rules of Conductor, where a day must fit both fields, as in Spring and Quartz. Default `either`.
 * @throws OPTION_INVALID with the field, its number and the character, or for a rule that never comes due
 * @example parseCron('30 2 * * MON-FRI')
 */
export function parseCron(text: unknown, field = 'cron', days: DayRule = 'either'): CronRule {
  if (typeof text !== 'string' || text.trim() === '' || text.length > textMax) {
    throw refused(
      field,
      `${field} must be a cron rule of at most ${textMax} characters, such as '30 2 * * MON-FRI'`,
    );
  }
  const trimmed = text.trim();
  if (trimmed.startsWith('@')) {
    const known = namedRules[trimmed.toLowerCase()];
    if (known !== undefined) return { ...parseCron(known, field, days), text: trimmed };
    const names = Object.keys(namedRules);
    throw refused(
      field,
      `${field}: there is no rule '${trimmed}'${didYouMean(trimmed, names)}; rules: ${names.join(', ')}`,
    );
  }
  const found = [...text.matchAll(/\S+/g)];
  if (found.length !== 5 && found.length !== 6) {
    throw refused(
      field,
      `${field} must have 5 fields (minute, hour, day of month, month, day of week) or 6 (second first), ` +
        `and '${trimmed}' has ${found.length}`,
    );
  }
  const order = [kinds.second, kinds.minute, kinds.hour, kinds.monthDay, kinds.month, kinds.weekDay];
  const parts = found.map(
    (match, place): Part => ({
      kind: order[place + 6 - found.length] ?? kinds.second,
      text: match[0].toUpperCase(),
      number: place + 1,
      position: match.index + 1,
    }),
  );
  const [second, minute, hour, monthDay, month, weekDay] = parts.length === 5 ? [undefined, ...parts] : parts;
  if (!minute || !hour || !monthDay || !month || !weekDay) throw new TypeError('a rule has 5 or 6 fields');
  const read = (part: Part): readonly number[] => valuesOf(part, field);
  const hours = read(hour);
  const rule: CronRule = {
    text: trimmed,
    seconds: second === undefined ? [0] : read(second),
    minutes: read(minute),
    hours,
    everyHour: hours.length === 24,
    months: maskOf(read(month)),
    monthDays: monthDaysOf(monthDay, field),
    weekDays: weekDaysOf(weekDay, field),
    days,
  };
  if (!everComes(rule)) {
    throw refused(field, `${field} '${trimmed}' never comes due: no month that it names has such a day`);
  }
  return rule;
}

/** The days of a month on which the rule comes due, as bits 1 to 31. @param month 1 to 12 */
export function daysOf(rule: CronRule, year: number, month: number): number {
  if ((rule.months & (1 << month)) === 0) return 0;
  const { monthDays, weekDays } = rule;
  const length = new Date(Date.UTC(year, month, 0)).getUTCDate();
  const firstWeekDay = new Date(Date.UTC(year, month - 1, 1)).getUTCDay();
  const all = maskUpTo(length);
  if (monthDays.any && weekDays.any) return all;
  const byMonth = monthDays.any ? 0 : monthDayMask(monthDays, length, firstWeekDay) & all;
  const byWeek = weekDays.any ? 0 : weekDayMask(weekDays, length, firstWeekDay);
  if (rule.days === 'both' && !monthDays.any && !weekDays.any) return byMonth & byWeek;
  return byMonth | byWeek;
}

function monthDayMask(days: MonthDays, length: number, firstWeekDay: number): number {
  let { mask } = days;
  for (const before of days.beforeLast) if (before < length) mask |= 1 << (length - before);
  if (days.lastWorkday) mask |= 1 << nearestWorkday(length, length, firstWeekDay);
  for (const day of days.nearestWorkday)
    if (day <= length) mask |= 1 << nearestWorkday(day, length, firstWeekDay);
  return mask;
}

function nearestWorkday(day: number, length: number, firstWeekDay: number): number {
  const weekDay = (firstWeekDay + day - 1) % 7;
  if (weekDay === 6) return day === 1 ? 3 : day - 1;
  if (weekDay === 0) return day === length ? day - 2 : day + 1;
  return day;
}

function weekDayMask(days: WeekDays, length: number, firstWeekDay: number): number {
  let mask = 0;
  for (let day = 1; day <= length; day += 1) {
    const weekDay = (firstWeekDay + day - 1) % 7;
    const fits =
      (days.mask & (1 << weekDay)) !== 0 ||
      days.nth.some(([of, nth]) => of === weekDay && Math.ceil(day / 7) === nth) ||
      days.last.some((of) => of === weekDay && day + 7 > length);
    if (fits) mask |= 1 << day;
  }
  return mask;
}

/** Whether any day of forty years fits: the weekdays of 29 February come round in 28. */
function everComes(rule: CronRule): boolean {
  for (let year = 2000; year < 2040; year += 1) {
    for (let month = 1; month <= 12; month += 1) if (daysOf(rule, year, month) !== 0) return true;
  }
  return false;
}

function monthDaysOf(part: Part, field: string): MonthDays {
  if (isAny(part.text)) return { any: true, mask: 0, beforeLast: [], lastWorkday: false, nearestWorkday: [] };
  const plain: number[] = [];
  const beforeLast: number[] = [];
  const nearest: number[] = [];
  let lastWorkday = false;
  for (const item of itemsOf(part)) {
    const last = /^L(?:-(\d{1,2}))?$/.exec(item.text);
    const near = /^(\d{1,2})W$/.exec(item.text);
    if (item.text === 'LW') lastWorkday = true;
    else if (last !== null) beforeLast.push(bounded(Number(last[1] ?? 0), 0, 30, item, field));
    else if (near !== null) nearest.push(bounded(Number(near[1]), 1, 31, item, field));
    else plain.push(...rangeOf(item, field));
  }
  return { any: false, mask: maskOf(plain), beforeLast, lastWorkday, nearestWorkday: nearest };
}

function weekDaysOf(part: Part, field: string): WeekDays {
  if (isAny(part.text)) return { any: true, mask: 0, nth: [], last: [] };
  const plain: number[] = [];
  const nth: [number, number][] = [];
  const last: number[] = [];
  for (const item of itemsOf(part)) {
    const numbered = /^(\w+)#(\d+)$/.exec(item.text);
    const final = /^(\d|SUN|MON|TUE|WED|THU|FRI|SAT)L$/.exec(item.text);
    if (numbered !== null) {
      const day = numberNamed(numbered[1] ?? '', item, field) % 7;
      nth.push([day, bounded(Number(numbered[2]), 1, 5, item, field)]);
    } else if (final !== null) last.push(numberNamed(final[1] ?? '', item, field) % 7);
    else plain.push(...rangeOf(item, field).map((day) => day % 7));
  }
  return { any: false, mask: maskOf(plain), nth, last };
}

function valuesOf(part: Part, field: string): readonly number[] {
  const values = itemsOf(part).flatMap((item) => rangeOf(item, field));
  return [...new Set(values)].sort((a, b) => a - b);
}

function itemsOf(part: Part): Part[] {
  let position = part.position;
  return part.text.split(',').map((text) => {
    const item = { ...part, text, position };
    position += text.length + 1;
    return item;
  });
}

/** `*`, `5`, `1-5`, each perhaps with a step. */
function rangeOf(item: Part, field: string): number[] {
  const { kind, text } = item;
  const found = /^(?:(\*|\?)|(\w+)(?:-(\w+))?)(?:\/(\d{1,2}))?$/.exec(text);
  if (found === null || (found[1] === '?' && kind !== kinds.monthDay && kind !== kinds.weekDay)) {
    throw wrong(item, field, expectedOf(kind));
  }
  const [, star, from, to, step] = found;
  const by = step === undefined ? 1 : bounded(Number(step), 1, kind.high, item, field);
  // Only the name of Sunday, or a 7, may end a range of days beyond Saturday.
  const high = kind === kinds.weekDay ? 6 : kind.high;
  let first = kind.low;
  let last = high;
  if (star === undefined) {
    first = numberNamed(from ?? '', item, field);
    last = to === undefined ? (step === undefined ? first : high) : numberNamed(to, item, field);
    if (kind === kinds.weekDay && to !== undefined && last === 0) last = 7;
  }
  if (first > last) {
    throw wrong(
      item,
      field,
      `a range from low to high; write it in two parts: ${from}-${kind.high},${kind.low}-${to}`,
    );
  }
  const values: number[] = [];
  for (let value = first; value <= last; value += by) values.push(value);
  return values;
}

function numberNamed(text: string, item: Part, field: string): number {
  const { kind } = item;
  const named = kind.names?.indexOf(text) ?? -1;
  if (named >= 0) return named + (kind === kinds.month ? 1 : 0);
  if (!/^\d{1,2}$/.test(text)) throw wrong(item, field, expectedOf(kind), didYouMean(text, kind.names ?? []));
  return bounded(Number(text), kind.low, kind.high, item, field);
}

function bounded(value: number, low: number, high: number, item: Part, field: string): number {
  if (value >= low && value <= high) return value;
  throw wrong(item, field, `${low} to ${high}`);
}

function expectedOf({ low, high, names }: FieldKind): string {
  const named = names === undefined ? '' : `, or ${names[0]} to ${names.at(-1)}`;
  return `'*', or ${low} to ${high}${named}, with ranges (1-5), steps (*/5) and commas`;
}

function isAny(text: string): boolean {
  return text === '*' || text === '?';
}

function maskOf(values: readonly number[]): number {
  return values.reduce((mask, value) => mask | (1 << value), 0);
}

/** Bits 1 to `last`; 31 is the highest bit, which makes the number negative and harms nothing. */
function maskUpTo(last: number): number {
  return last === 31 ? -2 : (1 << (last + 1)) - 2;
}

function wrong(item: Part, field: string, expected: string, hint = ''): LineshaftError {
  const { kind, number, position, text } = item;
  return new LineshaftError('OPTION_INVALID', {
    message: `${field}: ${kind.name} (field ${number}, character ${position}) must be ${expected}, not '${text}'${hint}`,
    details: { field, part: kind.name, number, position },
  });
}

function refused(field: string, message: string): LineshaftError {
  return new LineshaftError('OPTION_INVALID', { message, details: { field } });
}
