/** Rates as windows: so many at once, and in no stretch of time of that length more. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freshName, openSite, type Site, until, versions } from '../worker/site.ts';

const periodMs = 700;
const amount = 5;

describe.each(versions)('sliding limits on PostgreSQL %s', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterAll(() => site.close());

  it('start so many at once, and never more in any stretch of that length', async () => {
    const queue = await site.queue();
    const limit = freshName('window');
    await site.lineshaft.declareLimit({
      name: limit,
      rate: { amount, perMs: periodMs, sliding: true },
      queues: [queue],
    });
    const handlers = { work: () => {} };
    for (let n = 0; n < 2; n += 1) await site.work(queue, { handlers, slots: 3 });
    const jobs = await site.lineshaft.enqueueMany(
      Array.from({ length: 23 }, () => ({ kind: 'work', queue, payload: {} })),
    );
    // What was started when, as the counter itself says: by the ends of hundredths of the period.
    const starts = new Map<number, number>();
    await until(
      'all have run',
      async () => {
        const rows = await site.rows<{ at: number; n: number }>(
          `select extract(epoch from s.at)::float8 * 1000 as at, s.n from lineshaft.counter c
           join lineshaft.limit l on l.id = c.limit_id and l.name = $1, unnest(c.spent_at, c.spent) as s (at, n)`,
          [limit],
        );
        for (const { at, n } of rows)
          starts.set(Math.round(at), Math.max(n, starts.get(Math.round(at)) ?? 0));
        return [...starts.values()].reduce((sum, n) => sum + n, 0) === jobs.length;
      },
      25_000,
    );
    const times = [...starts].sort(([a], [b]) => a - b).flatMap(([at, n]) => Array<number>(n).fill(at));
    for (let n = 0; n + amount < times.length; n += 1)
      expect((times[n + amount] ?? 0) - (times[n] ?? 0)).toBeGreaterThanOrEqual(periodMs);
    await site.lineshaft.waitFor(
      jobs.map(({ id }) => id),
      { timeoutMs: 20_000 },
    );
    const { limit: kept } = await site.lineshaft.showLimit(limit);
    expect(kept.rate).toEqual({ amount, perMs: periodMs, burst: amount, sliding: true });
  });

  it.each([
    [{ rate: { amount: 1.5, perMs: 1_000, sliding: true } }, 'rate.amount'],
    [{ rate: { amount: 1, perMs: 1_000, burst: 2, sliding: true } }, 'rate.burst'],
    [{ rate: { amount: 1, perMs: 1_000, sliding: 'yes' } }, 'rate.sliding'],
    [{ tiers: [{ keys: 'a', rate: { amount: 1, perMs: 1_000, sliding: true } }] }, 'tiers[0].rate.sliding'],
    [
      {
        rate: { amount: 1, perMs: 1_000, sliding: true },
        tiers: [{ keys: 'a', rate: { amount: 2, perMs: 1_000, burst: 1 } }],
      },
      'tiers[0].rate',
    ],
  ])('refuses %j', async (settings, field) => {
    await expect(site.lineshaft.declareLimit({ name: 'bad', ...(settings as object) })).rejects.toMatchObject(
      {
        code: 'OPTION_INVALID',
        details: { field },
      },
    );
  });
});
