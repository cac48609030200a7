/** Durations and times as people type them, and as they like to read them. Pure. */

import { UsageError } from './usage-error.ts';

const units = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
} as const;
const part = /\s*(\d+(?:\.\d+)?)\s*(ms|min|s|m|h|d|w)/gy;

/**
 * Milliseconds of a duration: `500ms`, `10s`, `1h30m`, `2d`; a bare number is seconds.
 *
 * @returns undefined for anything else
 */
export function durationMs(text: string): number | undefined {
  const trimmed = text.trim();
  if (/^\d+(\.\d+)?$/.test(trimmed)) return Math.round(Number(trimmed) * 1_000);
  let total = 0;
  part.lastIndex = 0;
  while (part.lastIndex < trimmed.length) {
    const found = part.exec(trimmed);
    if (found === null) return undefined;
    total += Number(found[1]) * units[found[2] as keyof typeof units];
  }
  return trimmed === '' ? undefined : Math.round(total);
}

/** A duration that an option was given. @throws OPTION_INVALID */
export function parseDuration(text: string, option: string): number {
  const ms = durationMs(text);
  if (ms !== undefined && Number.isSafeInteger(ms)) return ms;
  throw new UsageError(
    `${option} must be a duration such as 500ms, 10s, 10m or 1h30m (a bare number is seconds), not '${text}'`,
    { field: option },
  );
}

/**
 * A point in time that an option was given: ISO 8601 with a zone, a date (midnight UTC), or how long from
 * now.
 *
 * @returns a text with a zone as it was given, to be checked by the core; otherwise a Date
 * @throws OPTION_INVALID
 */
export function parseTime(text: string, option: string, nowMs: number): Date | string {
  const fromNow = durationMs(text.replace(/^\+/, ''));
  if (fromNow !== undefined) return new Date(nowMs + fromNow);
  if (/^\d{4}-\d\d-\d\d$/.test(text)) return `${text}T00:00:00Z`;
  if (/^\d{4}-\d\d-\d\d[T ].*(?:Z|[+-]\d\d(?::?\d\d)?)$/i.test(text)) return text;
  throw new UsageError(
    `${option} must be a time such as 2030-01-31T08:00:00Z (with Z or an offset) ` +
      `or how long from now (10m, 1h30m), not '${text}'`,
    { field: option },
  );
}

/** A duration for people: `850 ms`, `3.2 s`, `12 min`, `5 h`, `3 days`. */
export function describeDuration(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1).replace(/\.0$/, '')} s`;
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${Math.round(ms / 3_600_000)} h`;
  return `${Math.round(ms / 86_400_000)} days`;
}

/** A time for people, by how far it is from now: `3 s ago`, `in 5 min`, `now`. */
export function describeTime(time: Date, nowMs: number): string {
  const ms = time.getTime() - nowMs;
  if (Math.abs(ms) < 500) return 'now';
  return ms > 0 ? `in ${describeDuration(ms)}` : `${describeDuration(-ms)} ago`;
}
