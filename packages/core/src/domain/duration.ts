/** Durations as people write them in data: `30d`, `1h30m`, `500ms`. Pure. */

const units = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
} as const;
const part = /(\d+(?:\.\d+)?)\s*(ms|min|s|m|h|d|w)\s*/gy;

/**
 * Milliseconds of a duration: parts of a number and a unit, of `ms`, `s`, `m` or `min`, `h`, `d`, `w`.
 *
 * @returns undefined for anything else, also for a number without a unit
 */
export function millisecondsOf(text: string): number | undefined {
  const trimmed = text.trim();
  if (trimmed === '') return undefined;
  let total = 0;
  part.lastIndex = 0;
  while (part.lastIndex < trimmed.length) {
    const found = part.exec(trimmed);
    if (found === null) return undefined;
    total += Number(found[1]) * units[found[2] as keyof typeof units];
  }
  return Math.round(total);
}
