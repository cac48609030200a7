/** When a WAIT is over: Conductor's words of `duration` and formats of `until`. Pure. */

import { timeZoneOf } from '../time-zone.ts';
import { javaText } from './java-text.ts';

export type WaitTime =
  /** ms since 1970 */
  | { readonly type: 'at'; readonly dueAt: number }
  /** Until somebody says so. */
  | { readonly type: 'open' }
  | { readonly type: 'refused'; readonly reason: string };

/** The longest wait: 100 years. */
const longestSeconds = 100 * 366 * 86_400;
const longestText = 200;

/**
 * When a WAIT with this input is over.
 *
 * @param input `duration`: `1d 2h 3m 4s`, also `days`, `hours` or `hrs`, `minutes` or `mins`, `seconds` or `secs`, in this
 * order, each once; or `until`: `2030-01-31 08:00`, `2030-01-31 08:00 Europe/Berlin`, `2030-01-31`. Neither: open.
 * @param now ms since 1970
 * @param zone of an `until` that names none
 * @example waitTime({ duration: '1h 30m' }, now) // { type: 'at', dueAt: now + 5_400_000 }
 */
export function waitTime(
  input: { readonly duration?: unknown; readonly until?: unknown },
  now: number,
  zone = 'UTC',
): WaitTime {
  const duration = wordsOf(input.duration);
  const until = wordsOf(input.until);
  if (duration !== '' && until !== '')
    return refused("Both 'duration' and 'until' specified. Please provide only one input");
  if (duration !== '') {
    const seconds = secondsOf(duration);
    if (seconds === undefined) return refused(`Not valid duration: ${duration.slice(0, 100)}`);
    return { type: 'at', dueAt: now + seconds * 1_000 };
  }
  if (until === '') return { type: 'open' };
  const dueAt = timeOfWords(until, zone);
  if (dueAt === undefined)
    return refused(`Invalid/Unsupported Wait Until format.  Provided: ${until.slice(0, 100)}`);
  return { type: 'at', dueAt };
}

function refused(reason: string): WaitTime {
  return { type: 'refused', reason };
}

function wordsOf(value: unknown): string {
  const text = value === undefined || value === null ? '' : javaText(value, longestText + 1);
  return text.length > longestText ? text : text.trim();
}

const units: readonly (readonly [words: RegExp, seconds: number])[] = [
  [/^(?:days?|d)$/i, 86_400],
  [/^(?:hours?|hrs?|h)$/i, 3_600],
  [/^(?:minutes?|mins?|m)$/i, 60],
  [/^(?:seconds?|secs?|s)$/i, 1],
];
const part = /\s*(\d{1,10})\s*([a-z]{1,8})/giy;

/** Seconds of `1d 2h 3m 4s`; undefined for what is none or longer than 100 years. */
export function secondsOf(text: string): number | undefined {
  if (text.length > longestText) return undefined;
  const trimmed = text.trim();
  let total = 0;
  let unit = 0;
  part.lastIndex = 0;
  while (part.lastIndex < trimmed.length) {
    const [, digits, word = ''] = part.exec(trimmed) ?? [];
    if (digits === undefined) return undefined;
    while (unit < units.length && units[unit]?.[0].test(word) !== true) unit += 1;
    const seconds = units[unit]?.[1];
    if (seconds === undefined) return undefined;
    total += Number(digits) * seconds;
    unit += 1;
  }
  return total <= longestSeconds ? total : undefined;
}

const dateTime = /^(\d{4})-(\d{1,2})-(\d{1,2})(?: +(\d{1,2}):(\d{1,2})(?: +(\S.{0,60}))?)?$/;

/** ms since 1970; a time that the zone's clocks skip is the first after the gap, one that they show twice is the earlier. */
function timeOfWords(text: string, defaultZone: string): number | undefined {
  const [, year, month, day, hour = '0', minute = '0', zone] = dateTime.exec(text) ?? [];
  if (year === undefined) return undefined;
  const local = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute));
  const shown = new Date(local);
  const exists =
    shown.getUTCMonth() === Number(month) - 1 &&
    shown.getUTCDate() === Number(day) &&
    shown.getUTCHours() === Number(hour) &&
    shown.getUTCMinutes() === Number(minute);
  return exists ? instantOf(local, zone ?? defaultZone) : undefined;
}

/** Abbreviations that Java's formats know, in minutes before or after UTC. */
const abbreviations: Readonly<Record<string, number>> = {
  ...{ Z: 0, GMT: 0, UTC: 0, WET: 0, WEST: 60, BST: 60, CET: 60, CEST: 120, EET: 120, EEST: 180, MSK: 180 },
  ...{ IST: 330, JST: 540, KST: 540, AEST: 600, AEDT: 660, NZST: 720, NZDT: 780, SGT: 480, HKT: 480 },
  ...{ EST: -300, EDT: -240, CST: -360, CDT: -300, MST: -420, MDT: -360, PST: -480, PDT: -420, HST: -600 },
  ...{ AKST: -540, AKDT: -480, AST: -240, ADT: -180, BRT: -180, ART: -180 },
};

function instantOf(local: number, zone: string): number | undefined {
  const name = zone.trim();
  const offset = offsetMinutes(name);
  if (offset !== undefined) return local - offset * 60_000;
  try {
    const { instants, changesAtMs } = timeZoneOf(name).instantsOf(local);
    return instants[0] ?? changesAtMs;
  } catch {
    return undefined;
  }
}

function offsetMinutes(name: string): number | undefined {
  const upper = name.toUpperCase();
  if (Object.hasOwn(abbreviations, upper)) return abbreviations[upper];
  const [, sign, hours, minutes = '0'] = /^(?:GMT|UTC)?([+-])(\d{1,2}):?(\d{2})?$/i.exec(name) ?? [];
  if (sign === undefined || Number(hours) > 18 || Number(minutes) > 59) return undefined;
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}
