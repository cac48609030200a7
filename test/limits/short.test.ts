/** A job that costs more than there is room for is not overtaken for ever by cheap ones. */

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { JobContext } from '../../packages/core/src/index.ts';
import { freshName, openSite, type Site, until, versions } from '../worker/site.ts';
import { expectNothingInUse, Ledger } from './ledger.ts';

describe.each(versions)('PostgreSQL %s', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterEach(() => site.rest());
  afterAll(() => site.close());

  /** Cheap jobs without end, one dear one of another queue. */
  async function crowd() {
    const [many, one] = [await site.queue({ concurrency: 50 }), await site.queue()];
    const name = freshName('crowded');
    await site.lineshaft.declareLimit({ name, concurrency: 4 });
    const ledger = new Ledger();
    const seen = { cheap: 0, over: false };
    const under = [{ limit: name, cost: 1 }];
    const handlers = {
      cheap: (_: unknown, job: JobContext) =>
        ledger.during(['all'], 1, async () => {
          await new Promise((resolve) => setTimeout(resolve, 10 + Math.random() * 20));
          seen.cheap += 1;
          if (!seen.over) job.enqueue('cheap', {}, { queue: many, under });
        }),
      dear: () => ledger.during(['all'], 4, () => new Promise((resolve) => setTimeout(resolve, 10))),
    };
    for (let n = 0; n < 2; n += 1) await site.work([many, one], { handlers });
    await site.lineshaft.enqueueMany(
      Array.from({ length: 20 }, () => ({ kind: 'cheap', payload: {}, queue: many, under })),
    );
    await until('cheap ones run', () => seen.cheap > 20);
    const dear = await site.lineshaft.enqueue('dear', {}, { queue: one, under: [{ limit: name, cost: 9 }] });
    return { one, name, ledger, seen, dear };
  }

  it('runs in the end, and the cheap ones go on after it', async () => {
    const { ledger, seen, dear } = await crowd();
    const [job] = await site.lineshaft.waitFor([dear.id], { timeoutMs: 60_000 });
    expect(job?.state).toBe('succeeded');
    const before = seen.cheap;
    await until('cheap ones go on', () => seen.cheap > before + 20);
    seen.over = true;
    await until('the rest is done', async () => {
      const [row] = await site.rows<{ left: number }>('select count(*)::integer as left from lineshaft.job');
      return row?.left === 0;
    });
    expect(ledger.most('all')).toBe(4);
    await expectNothingInUse(site);
  });

  it('keeps no room for a job that nobody takes', async () => {
    const { one, name, seen, dear } = await crowd();
    const counted = async (column: string): Promise<boolean> => {
      const [row] = await site.rows<{ set: boolean }>(
        `select c.${column} is not null as set from lineshaft.counter c join lineshaft.limit l on l.id = c.limit_id
         where l.name = $1`,
        [name],
      );
      return row?.set === true;
    };
    await until('it is known to be short', () => counted('short_lane'));
    await site.lineshaft.pauseQueue(one);
    await until('room is kept, and given to nobody', () => counted('short_opened'), 30_000);
    const before = seen.cheap;
    await until('cheap ones go on', () => seen.cheap > before + 50, 30_000);
    await site.lineshaft.resumeQueue(one);
    await site.lineshaft.waitFor([dear.id], { timeoutMs: 60_000 });
    seen.over = true;
    await until('the rest is done', async () => {
      const [row] = await site.rows<{ left: number }>('select count(*)::integer as left from lineshaft.job');
      return row?.left === 0;
    });
    await expectNothingInUse(site);
  });

  it('starts alone where there is less than it costs, also after that has become less', async () => {
    const queue = await site.queue();
    const name = freshName('less');
    await site.lineshaft.declareLimit({ name, concurrency: 8 });
    let open = (): void => {};
    const held = new Promise<void>((resolve) => {
      open = resolve;
    });
    let holds = false;
    const hold = (): Promise<void> => {
      holds = true;
      return held;
    };
    await site.work(queue, { handlers: { hold, dear: () => 'done' } });
    const first = await site.lineshaft.enqueue('hold', {}, { queue, under: [name] });
    await until('it runs', () => holds);
    const dear = await site.lineshaft.enqueue('dear', {}, { queue, under: [{ limit: name, cost: 8 }] });
    await until('it waits', async () =>
      (await site.lineshaft.showLimit(name)).counters.some(({ parkedLanes }) => parkedLanes === 1),
    );
    await site.lineshaft.declareLimit({ name, concurrency: 2 });
    open();
    const jobs = await site.lineshaft.waitFor([first.id, dear.id], { timeoutMs: 30_000 });
    expect(jobs.map(({ state }) => state)).toEqual(['succeeded', 'succeeded']);
    await expectNothingInUse(site);
  });
});
