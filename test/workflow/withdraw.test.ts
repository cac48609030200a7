/** Jobs of steps end wherever they are: waiting, due later, held back by a limit, running. */

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { JobContext } from '../../packages/core/src/index.ts';
import { openClient } from '../../packages/core/src/testing/installation.ts';
import { expectNothingInUse } from '../limits/ledger.ts';
import { freshName, gate, openSite, type Site, until, versions } from '../worker/site.ts';

describe.each(versions)('withdrawing jobs on PostgreSQL %s', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterEach(() => site.rest());
  afterAll(() => site.close());

  const withdraw = async (ids: readonly string[]): Promise<number> => {
    const [row] = await site.rows<{ n: number }>('select lineshaft.withdraw_jobs($1) as n', [ids]);
    return row?.n ?? -1;
  };
  const left = async (): Promise<Record<string, number>> => {
    const [row] = await site.rows<Record<string, number>>(
      `select (select count(*)::int from lineshaft.job) as job, (select count(*)::int from lineshaft.ready) as ready,
        (select count(*)::int from lineshaft.later) as later, (select count(*)::int from lineshaft.dead) as dead,
        (select count(*)::int from lineshaft.history) as history`,
    );
    return row ?? {};
  };
  const nothing = { job: 0, ready: 0, later: 0, dead: 0, history: 0 };

  it('takes them from where they wait, and leaves no history', async () => {
    const queue = await site.queue();
    const jobs = await site.lineshaft.enqueueMany(
      Array.from({ length: 200 }, (_, n) => ({
        kind: `k${n % 3}`,
        queue,
        payload: {},
        ...(n % 2 === 0 ? {} : { delayMs: 60_000 }),
      })),
    );
    const ids = jobs.map(({ id }) => id);
    expect(await withdraw(ids)).toBe(200);
    expect(await left()).toEqual(nothing);
    expect(await withdraw(ids)).toBe(0);
    expect(await withdraw([])).toBe(0);
  });

  it('cancels what a worker runs, and drops its late result', async () => {
    const queue = await site.queue();
    const started = gate();
    const aborted = gate();
    const worker = await site.work(queue, {
      handlers: {
        slow: async (_payload: unknown, job: JobContext) => {
          started.open();
          await new Promise<void>((resolve) => job.signal.addEventListener('abort', () => resolve()));
          aborted.open();
          return 'late';
        },
      },
    });
    const { id } = await site.lineshaft.enqueue('slow', {}, { queue });
    await started.opened;
    expect(await withdraw([id])).toBe(1);
    await aborted.opened;
    await until('the worker holds nothing', () => worker.metrics().running === 0);
    expect(await left()).toEqual(nothing);
  });

  it('gives the room of a limit back, which the next job uses at once', async () => {
    const queue = await site.queue();
    const limit = freshName('limit');
    await site.lineshaft.declareLimit({ name: limit, concurrency: 1, queues: [queue] });
    const first = gate();
    const second = gate();
    let runs = 0;
    await site.work(queue, {
      handlers: {
        work: async (_payload: unknown, job: JobContext) => {
          runs += 1;
          if (runs > 1) return second.open();
          first.open();
          await new Promise<void>((resolve) => job.signal.addEventListener('abort', () => resolve()));
        },
      },
      slots: 5,
    });
    const jobs = await site.lineshaft.enqueueMany(
      Array.from({ length: 4 }, () => ({ kind: 'work', queue, payload: {} })),
    );
    await first.opened;
    const running = await until('one runs', async () => {
      const views = await Promise.all(jobs.map(({ id }) => site.lineshaft.showJob(id)));
      return views.find(({ state }) => state === 'running');
    });
    const waiting = jobs.map(({ id }) => id).filter((id) => id !== running.id);
    // Of those that are parked behind it two go; the last takes the place of the first.
    expect(await withdraw(waiting.slice(0, 2))).toBe(2);
    expect(await withdraw([running.id])).toBe(1);
    await second.opened;
    expect(runs).toBe(2);
    await until('all is over', async () => (await left()).job === 0);
    await expectNothingInUse(site);
  });

  it('loses no job and no room when claims, promotions and withdrawals race', async () => {
    const queue = await site.queue();
    const limit = freshName('limit');
    await site.lineshaft.declareLimit({ name: limit, concurrency: 3, queues: [queue] });
    const done = new Set<string>();
    const handlers = {
      work: async (_payload: unknown, job: JobContext) => {
        done.add(job.id);
      },
    };
    for (let n = 0; n < 3; n += 1) await site.work(queue, { handlers, slots: 4 });
    const jobs = await site.lineshaft.enqueueMany(
      Array.from({ length: 300 }, (_, n) => ({ kind: 'work', queue, payload: {}, delayMs: (n % 7) * 40 })),
    );
    const ids = jobs.map(({ id }) => id);
    await Promise.all(
      Array.from({ length: 6 }, async (_, part) => {
        const client = await openClient(site.url);
        const mine = ids.filter((_id, n) => n % 12 === part * 2);
        for (let start = 0; start < mine.length; start += 5)
          await client.query('select lineshaft.withdraw_jobs($1)', [mine.slice(start, start + 5)]);
        await client.end();
      }),
    );
    await until('all is over', async () => (await left()).job === 0);
    // What nobody withdrew was done.
    for (const [n, id] of ids.entries()) if (n % 2 === 1) expect(done.has(id)).toBe(true);
    await expectNothingInUse(site);
  });
});
