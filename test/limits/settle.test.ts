/** What attempts say of their limits when they end: real costs, and that a service wants to be left alone. */

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { JobContext } from '../../packages/core/src/index.ts';
import { freshName, openSite, type Site, until, versions } from '../worker/site.ts';
import { expectNothingInUse } from './ledger.ts';

/** So slow that no token comes while a test runs. */
const slow = { amount: 100, perMs: 360_000_000, burst: 100 };

describe.each(versions)('PostgreSQL %s', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterEach(() => site.rest());
  afterAll(() => site.close());

  const tokensOf = async (limit: string, key = ''): Promise<number> => {
    const { counters } = await site.lineshaft.showLimit(limit);
    return Math.round(counters.find((counter) => counter.key === key)?.tokens ?? Number.NaN);
  };

  it('gives back what was not spent, and takes a debt, of each key its own', async () => {
    const queue = await site.queue();
    const name = freshName('tokens');
    await site.lineshaft.declareLimit({
      name,
      rate: slow,
      key: { payload: 'model' },
      cost: { payload: 'estimate' },
      queues: [queue],
    });
    const work = ({ spends }: { spends: number[] }, job: JobContext): void => {
      for (const amount of spends) job.spent(amount);
      if (spends.length === 0) throw new Error('as told');
    };
    await site.work(queue, { handlers: { work } });
    const send = async (model: string, estimate: number, spends: number[]): Promise<void> => {
      const { id } = await site.lineshaft.enqueue(
        'work',
        { model, estimate, spends },
        { queue, maxAttempts: 1 },
      );
      await site.lineshaft.waitFor([id], { timeoutMs: 30_000 });
    };
    await send('small', 40, [10]);
    await send('large', 40, [5, 70]);
    await send('failing', 40, []);
    expect([
      await tokensOf(name, 'small'),
      await tokensOf(name, 'large'),
      await tokensOf(name, 'failing'),
    ]).toEqual([90, 30, 60]);
    await send('large', 30, [150]);
    expect(await tokensOf(name, 'large')).toBe(-120);
    await expectNothingInUse(site);
  });

  it('opens lanes that waited for what is given back, and takes the limit that is named', async () => {
    const queue = await site.queue({ concurrency: 5 });
    const [one, two] = [freshName('one'), freshName('two')];
    await site.lineshaft.declareLimit({ name: one, rate: slow });
    await site.lineshaft.declareLimit({ name: two, rate: slow });
    const work = (_: unknown, job: JobContext): void => {
      job.spent(30, one);
      job.spent(80, two);
      // Of two rates none is meant without a name.
      job.spent(1);
    };
    const worker = await site.work(queue, {
      handlers: { work },
    });
    const under = [
      { limit: one, cost: 70 },
      { limit: two, cost: 10 },
    ];
    const jobs = await site.lineshaft.enqueueMany(
      Array.from({ length: 2 }, () => ({ kind: 'work', queue, payload: {}, under })),
    );
    const finished = await site.lineshaft.waitFor(
      jobs.map(({ id }) => id),
      { timeoutMs: 30_000 },
    );
    expect(finished.map(({ state }) => state)).toEqual(['succeeded', 'succeeded']);
    expect([await tokensOf(one), await tokensOf(two)]).toEqual([40, -60]);
    expect(site.log.count(/spoke of a limit .* without a name/)).toBe(1);
    await worker.stop();
    await expectNothingInUse(site);
  });

  it('closes the key of a limit for everybody when a job is throttled, which takes no attempt', async () => {
    const [queue, other] = [await site.queue(), await site.queue()];
    const name = freshName('api');
    await site.lineshaft.declareLimit({
      name,
      concurrency: 1,
      key: { payload: 'tenant' },
      queues: [queue, other],
    });
    const attempts: number[] = [];
    const ran: string[] = [];
    const handlers = {
      told: (_: unknown, job: JobContext) => {
        attempts.push(job.attempt);
        if (attempts.length === 1) job.throttled(new Date(Date.now() + 3_600_000));
      },
      other: ({ tenant }: { tenant: string }) => void ran.push(tenant),
    };
    const told = await site.lineshaft.enqueue('told', { tenant: 'acme' }, { queue, maxAttempts: 1 });
    await site.work([queue, other], { handlers });
    await until('the key is closed', async () =>
      (await site.lineshaft.showLimit(name)).counters.some(({ closedUntil }) => closedUntil !== undefined),
    );
    const { counters } = await site.lineshaft.showLimit(name);
    expect(counters.find(({ key }) => key === 'acme')?.closedUntil?.getTime()).toBeGreaterThan(
      Date.now() + 3_000_000,
    );
    const held = await site.lineshaft.enqueue('other', { tenant: 'acme' }, { queue: other });
    const free = await site.lineshaft.enqueue('other', { tenant: 'zeta' }, { queue: other });
    await site.lineshaft.waitFor([free.id], { timeoutMs: 30_000 });
    expect(ran).toEqual(['zeta']);
    const { state } = await site.lineshaft.showJob(told.id);
    expect(state).toBe('scheduled');
    await site.lineshaft.throttleLimit(name, { key: 'acme', forMs: 0 });
    await site.lineshaft.waitFor([held.id], { timeoutMs: 30_000 });
    expect(attempts).toEqual([1]);
    await expectNothingInUse(site);
  });

  it.each([
    ['async', {}],
    ['thread', { executor: 'thread' }],
  ] as const)('takes an error with a retry-after for that: %s', async (_, executor) => {
    const queue = await site.queue({ ...executor, backoff: { type: 'fixed', delayMs: 10, jitter: 0 } });
    const name = freshName('http');
    await site.lineshaft.declareLimit({ name, rate: slow, queues: [queue] });
    const module = new URL('../../packages/core/src/worker/executors/fixtures/handlers.ts', import.meta.url);
    const handlers = { throws: { module, export: 'throwRetryAfter' } };
    await site.work(queue, { handlers });
    const payload = { response: { headers: { 'retry-after': '3600' } } };
    const { id } = await site.lineshaft.enqueue('throws', payload, { queue, maxAttempts: 1 });
    await until('it waits', async () => (await site.lineshaft.showJob(id)).state === 'scheduled');
    const [counter] = (await site.lineshaft.showLimit(name)).counters;
    expect(counter?.closedUntil?.getTime()).toBeGreaterThan(Date.now() + 3_000_000);
    // Under no limit it is a failure like any other, that is not tried before.
    const plain = await site.queue({ ...executor, backoff: { type: 'fixed', delayMs: 10, jitter: 0 } });
    await site.work(plain, { handlers });
    const second = await site.lineshaft.enqueue('throws', payload, { queue: plain, maxAttempts: 2 });
    await until(
      'it is tried again',
      async () => (await site.lineshaft.showJob(second.id)).state === 'retrying',
    );
    const [row] = await site.rows<{ ms: number }>(
      `select (extract(epoch from due - clock_timestamp()) * 1000)::float8 as ms from lineshaft.job where id = $1`,
      [second.id],
    );
    expect(row?.ms).toBeGreaterThan(3_000_000);
  });
});
