/**
 * IANA time zones: from instants to wall-clock time and back, by what `Intl` knows. A wall-clock time is a number too:
 * the milliseconds since 1970 that a clock would have counted had it always shown that zone's time. Asking `Intl` is
 * dear, so the offsets of the days that were asked for are remembered. Pure but for that memory.
 */

import { LineshaftError } from './errors.ts';
import { didYouMean } from './suggest.ts';

const dayMs = 86_400_000;
/** So many days are remembered of each zone: then it starts anew. */
const rememberedDays = 2_000;

/** The offsets of one day in UTC: at its begin, and after its one change if there is one. */
interface Day {
  readonly offsetMs: number;
  readonly changesAtMs: number;
  readonly laterOffsetMs: number;
}

export class TimeZone {
  readonly name: string;
  private readonly format: Intl.DateTimeFormat;
  private readonly days = new Map<number, Day>();

  constructor(name: string) {
    this.name = name;
    this.format = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  }

  /** How far the wall clock is ahead of UTC at an instant. */
  offsetMs(instantMs: number): number {
    const day = this.dayOf(instantMs);
    return instantMs < day.changesAtMs ? day.offsetMs : day.laterOffsetMs;
  }

  /** The wall-clock time at an instant. */
  localMs(instantMs: number): number {
    return instantMs + this.offsetMs(instantMs);
  }

  /**
   * The instants at which the clock shows this time, the earlier first: mostly one; two where the clock is put back
   * over it; none where it is put forward, and then `changesAtMs` is the first instant after the gap.
   */
  instantsOf(localMs: number): { readonly instants: readonly number[]; readonly changesAtMs: number } {
    const before = this.offsetMs(localMs - dayMs);
    const after = this.offsetMs(localMs + dayMs);
    if (before === after) return { instants: [localMs - before], changesAtMs: Number.NaN };
    const instants = [localMs - Math.max(before, after), localMs - Math.min(before, after)].filter(
      (instantMs) => this.localMs(instantMs) === localMs,
    );
    if (instants.length > 0) return { instants, changesAtMs: Number.NaN };
    return { instants, changesAtMs: this.changeBetween(localMs - after, localMs - before) };
  }

  /** The instant at which the clock is put back within the next day; undefined where it is not. */
  nextPutBack(instantMs: number): number | undefined {
    const offset = this.offsetMs(instantMs);
    if (this.offsetMs(instantMs + dayMs) >= offset) return undefined;
    return this.changeBetween(instantMs, instantMs + dayMs);
  }

  private dayOf(instantMs: number): Day {
    const number = Math.floor(instantMs / dayMs);
    const known = this.days.get(number);
    if (known !== undefined) return known;
    if (this.days.size >= rememberedDays) this.days.clear();
    const offsetMs = this.ask(number * dayMs);
    const laterOffsetMs = this.ask((number + 1) * dayMs);
    const changesAtMs =
      offsetMs === laterOffsetMs
        ? Number.POSITIVE_INFINITY
        : this.changeBetween(number * dayMs, (number + 1) * dayMs);
    const day = { offsetMs, changesAtMs, laterOffsetMs };
    this.days.set(number, day);
    return day;
  }

  /** The first instant, to the second, with another offset than at the begin, which must differ from that at the end. */
  private changeBetween(beginMs: number, endMs: number): number {
    const offset = this.ask(beginMs);
    let low = Math.floor(beginMs / 1_000);
    let high = Math.ceil(endMs / 1_000);
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.ask(middle * 1_000) === offset) low = middle;
      else high = middle;
    }
    return high * 1_000;
  }

  private ask(instantMs: number): number {
    const seconds = Math.floor(instantMs / 1_000) * 1_000;
    const fields: Record<string, number> = {};
    for (const { type, value } of this.format.formatToParts(seconds)) fields[type] = Number(value);
    const { year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0 } = fields;
    return Date.UTC(year, month - 1, day, hour, minute, second) - seconds;
  }
}

const zones = new Map<string, TimeZone>();

/**
 * A time zone by its IANA name, such as `Europe/Berlin` or `UTC`; upper and lower case do not count.
 *
 * @throws OPTION_INVALID with the name that was perhaps meant; an offset such as `+02:00` is refused, since no
 * offset knows of summer time.
 */
export function timeZoneOf(name: unknown, field = 'timeZone'): TimeZone {
  const known = typeof name === 'string' ? zones.get(name) : undefined;
  if (known !== undefined) return known;
  if (typeof name !== 'string' || !/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/.test(name))
    throw unknownZone(name, field);
  let canonical: string;
  try {
    canonical = new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    throw unknownZone(name, field);
  }
  const zone = zones.get(canonical) ?? new TimeZone(canonical);
  zones.set(canonical, zone);
  zones.set(name, zone);
  return zone;
}

function unknownZone(name: unknown, field: string): LineshaftError {
  const names = ['UTC', ...Intl.supportedValuesOf('timeZone')];
  const given = typeof name === 'string' ? name : '';
  const city = names.find(
    (each) => each.split('/').at(-1)?.toLowerCase() === given.toLowerCase().replaceAll(' ', '_'),
  );
  const hint = city === undefined ? didYouMean(given, names) : `; did you mean '${city}'?`;
  return new LineshaftError('OPTION_INVALID', {
    message: `${field} must be an IANA time zone such as 'Europe/Berlin' or 'UTC', not '${given.slice(0, 60)}'${hint}`,
    details: { field },
  });
}
