/**
 * When a cron rule comes due. Rules speak of wall-clock time, and twice a year a wall clock jumps. The one rule:
 *
 * - A rule that names every hour (`*` in that field, or all of them) goes by elapsed time: it comes due at every instant
 *   whose wall-clock time fits. A time that the clock shows twice counts twice, one that it never shows not at all.
 * - Any other rule comes due once for each wall-clock time that fits: where the clock is put forward over it, at the first
 *   instant after the gap (several such times there are one); where the clock shows it twice, at the first.
 *
 * So `30 2 * * *` runs once on every day of the year, and `0 * * * *` every 60 minutes. Pure.
 */

import { type CronRule, daysOf } from './cron.ts';
import type { TimeZone } from './time-zone.ts';

/** No rule is looked for further ahead than this. */
const yearsAhead = 50;

/** The first instant after the given one at which the rule comes due; undefined where none is near. */
export function nextTick(rule: CronRule, zone: TimeZone, afterMs: number): number | undefined {
  return rule.everyHour ? nextByElapsedTime(rule, zone, afterMs) : nextByWallClock(rule, zone, afterMs);
}

function nextByWallClock(rule: CronRule, zone: TimeZone, afterMs: number): number | undefined {
  let local: number | undefined = zone.localMs(afterMs);
  for (;;) {
    local = nextLocal(rule, local);
    if (local === undefined) return undefined;
    const { instants, changesAtMs } = zone.instantsOf(local);
    const instant = instants[0] ?? changesAtMs;
    // In the hour that comes again, the times that fit have been already.
    if (instant > afterMs) return instant;
  }
}

function nextByElapsedTime(rule: CronRule, zone: TimeZone, afterMs: number): number | undefined {
  const found = nextShown(rule, zone, afterMs, zone.localMs(afterMs));
  const putBackAtMs = zone.nextPutBack(afterMs);
  if (putBackAtMs === undefined || (found !== undefined && found < putBackAtMs)) return found;
  // The times that come again are earlier on the clock, so nobody has looked at them.
  return nextShown(rule, zone, putBackAtMs - 1, zone.localMs(putBackAtMs) - 1);
}

/** The first instant after `afterMs` whose time on the clock fits and is later than `localMs`. */
function nextShown(rule: CronRule, zone: TimeZone, afterMs: number, localMs: number): number | undefined {
  let local: number | undefined = localMs;
  for (;;) {
    local = nextLocal(rule, local);
    if (local === undefined) return undefined;
    const { instants, changesAtMs } = zone.instantsOf(local);
    const shown = instants.find((instant) => instant > afterMs);
    if (shown !== undefined) return shown;
    if (instants.length === 0) local = zone.localMs(changesAtMs) - 1;
  }
}

/** The first wall-clock time after the given one that fits the rule. */
export function nextLocal(rule: CronRule, afterLocalMs: number): number | undefined {
  const start = new Date((Math.floor(afterLocalMs / 1_000) + 1) * 1_000);
  const lastYear = start.getUTCFullYear() + yearsAhead;
  let year = start.getUTCFullYear();
  let month = start.getUTCMonth() + 1;
  let day = start.getUTCDate();
  let second = start.getUTCHours() * 3_600 + start.getUTCMinutes() * 60 + start.getUTCSeconds();
  while (year <= lastYear) {
    const days = daysOf(rule, year, month);
    for (; days !== 0 && day <= 31; day += 1) {
      if ((days & (1 << day)) !== 0) {
        const found = nextTimeOfDay(rule, second);
        if (found !== undefined) return Date.UTC(year, month - 1, day) + found * 1_000;
      }
      second = 0;
    }
    day = 1;
    second = 0;
    month = month === 12 ? 1 : month + 1;
    if (month === 1) year += 1;
  }
  return undefined;
}

/** The first second of the day, from the given one on, that fits; undefined where the day has none left. */
function nextTimeOfDay({ hours, minutes, seconds }: CronRule, from: number): number | undefined {
  const hourNow = Math.floor(from / 3_600);
  for (const hour of hours) {
    if (hour < hourNow) continue;
    const minuteFrom = hour === hourNow ? Math.floor((from % 3_600) / 60) : 0;
    for (const minute of minutes) {
      if (minute < minuteFrom) continue;
      const secondFrom = hour === hourNow && minute === minuteFrom ? from % 60 : 0;
      const second = seconds.find((each) => each >= secondFrom);
      if (second !== undefined) return hour * 3_600 + minute * 60 + second;
    }
  }
  return undefined;
}
