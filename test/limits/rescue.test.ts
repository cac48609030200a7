/** What a worker held when it died: room comes back with the rescue, a FIFO key stays with its job. */

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { freshName, openSite, type Site, versions } from '../worker/site.ts';
import { expectNothingInUse } from './ledger.ts';

describe.each(versions)('PostgreSQL %s', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterEach(() => site.rest());
  afterAll(() => site.close());

  /** A worker that has claimed all that it may of a queue, and has died since. */
  async function deadWorker(queue: string): Promise<string> {
    const [row] = await site.rows<{ id: string }>(
      `insert into lineshaft.worker (worker_id, name, build, tags, kinds, queues, slots, lease_ms, lease_until)
       values ('dead', 'dead', '0.0.0', '{}', '{}', '{}', 10, 1000, clock_timestamp() - interval '1 minute') returning id`,
    );
    const id = row?.id ?? '';
    await site.rows(
      `select lineshaft.claim_keyed($1, array_agg(l.id), array_agg(1), '{10}', 100, true)
       from lineshaft.lane l join lineshaft.queue q on q.id = l.queue_id where q.name = $2 and l.id > 0`,
      [id, queue],
    );
    return id;
  }

  it.each([
    ['concurrency', { concurrency: 2 }, 2, 0],
    ['order', { fifo: true }, 1, 1],
  ] as const)('a limit of %s', async (_, terms, held, kept) => {
    const queue = await site.queue();
    const name = freshName('limit');
    const { id } = await site.lineshaft.declareLimit({ name, ...terms, queues: [queue] });
    const jobs = await site.lineshaft.enqueueMany(
      Array.from({ length: 5 }, (__, n) => ({ kind: 'work', queue, payload: { n } })),
    );
    const used = async (): Promise<number | undefined> =>
      (await site.rows<{ used: number }>('select used from lineshaft.counter where limit_id = $1', [id]))[0]
        ?.used;
    const dead = await deadWorker(queue);
    expect(await used()).toBe(held);
    const [rescued] = await site.rows('select returned from lineshaft.rescue($1, 3)', [dead]);
    expect(rescued).toEqual({ returned: held });
    expect(await used()).toBe(kept);
    const order: number[] = [];
    await site.work(queue, { handlers: { work: ({ n }: { n: number }) => void order.push(n) } });
    await site.lineshaft.waitFor(
      jobs.map((job) => job.id),
      { timeoutMs: 30_000 },
    );
    expect(order.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4]);
    if (kept > 0) expect(order).toEqual([0, 1, 2, 3, 4]);
    await expectNothingInUse(site);
  });
});
