/** Random numbers that a seed repeats: mulberry32 (Tommy Ettinger, public domain), one stream for each purpose. */

export interface Random {
  /** From 0 up to but without 1. */
  next(): number;
  /** A whole number from `low` to `high`, both possible. */
  whole(low: number, high: number): number;
  pick<Item>(items: readonly Item[]): Item;
}

/** @param purpose streams of the same seed and different purposes have nothing to do with each other */
export function randomOf(seed: number, purpose = ''): Random {
  let state = seed >>> 0;
  for (const letter of purpose)
    state = (Math.imul(state ^ (letter.codePointAt(0) ?? 0), 0x9e3779b1) + 1) >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const whole = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1));
  return {
    next,
    whole,
    pick(items) {
      const item = items[whole(0, items.length - 1)];
      if (item === undefined) throw new RangeError('nothing to pick from');
      return item;
    },
  };
}
