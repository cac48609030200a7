import { expect } from 'vitest';
import type { Site } from '../worker/site.ts';

/** How much runs at once, as the handlers themselves count it: apart from what the queue says. */
export class Ledger {
  private readonly now = new Map<string, number>();
  private readonly peaks = new Map<string, number>();

  async during<Result>(
    keys: readonly string[],
    cost: number,
    work: () => Result | Promise<Result>,
  ): Promise<Result> {
    for (const key of keys) this.add(key, cost);
    try {
      return await work();
    } finally {
      for (const key of keys) this.add(key, -cost);
    }
  }

  /** The most that ran at once. */
  most(key: string): number {
    return this.peaks.get(key) ?? 0;
  }

  private add(key: string, amount: number): void {
    const sum = (this.now.get(key) ?? 0) + amount;
    this.now.set(key, sum);
    this.peaks.set(key, Math.max(this.peaks.get(key) ?? 0, sum));
  }
}

/** All room was given back, and nobody waits for what is there. */
export async function expectNothingInUse(site: Site): Promise<void> {
  const used = await site.rows('select limit_id, key, used from lineshaft.counter where used <> 0');
  expect(used).toEqual([]);
  const [mended] = await site.rows('select * from lineshaft.mend_limits()');
  expect(mended).toMatchObject({ counters: 0, lanes: 0, parked: 0 });
}
