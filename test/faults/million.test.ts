import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSite, type Site, until } from '../worker/site.ts';

const many = 1_000_000;
/** What a look at one lane may touch, in pages; a million rows are thousands. */
const fewPages = 400;

describe('a paused queue with a million jobs', () => {
  let site: Site;
  let paused = '';
  beforeAll(async () => {
    site = await openSite(18);
    paused = await site.queue({ state: 'paused', retention: { succeededMs: 0 } });
    const { id } = await site.lineshaft.enqueue('one', 0, { queue: paused });
    await site.rows(
      `with first as (select lane, due, priority from lineshaft.job where id = $1),
      fresh as (
        insert into lineshaft.job (id, seq, due, created_at, lane, priority, payload)
        select gen_random_uuid(), nextval('lineshaft.job_seq'), f.due, f.due, f.lane, f.priority, to_json(n)
        from first f cross join generate_series(1, ${many - 1}) n
        returning id, seq, due, lane, priority
      )
      insert into lineshaft.ready (due, seq, lane, priority, job_id)
      select due, seq, lane, priority, id from fresh`,
      [id],
    );
    await site.rows('analyze lineshaft.ready, lineshaft.job');
  });
  afterAll(() => site.close());

  test('costs other queues nothing while it is paused, and runs from its beginning afterwards', async () => {
    const other = await site.queue();
    const ran: number[] = [];
    const worker = await site.work([paused, other], {
      handlers: { one: (n: number) => void ran.push(n), small: () => 'ran' },
    });
    const [cost] = await site.rows<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }>(
      `explain (analyze, buffers, format json)
      with recursive hop as (
        (select lane, 1 as n from lineshaft.ready where lane > 0 order by lane limit 1)
        union all
        select (select r.lane from lineshaft.ready r where r.lane > h.lane order by r.lane limit 1), h.n + 1
        from hop h where h.lane is not null and h.n < 2000
      ) select lane from hop`,
    );
    const plan = cost?.['QUERY PLAN'][0].Plan;
    expect((plan?.['Shared Hit Blocks'] ?? 0) + (plan?.['Shared Read Blocks'] ?? 0)).toBeLessThan(fewPages);
    const { id } = await site.lineshaft.enqueue('small', null, { queue: other });
    expect(await site.lineshaft.waitFor([id], { timeoutMs: 10_000 })).toMatchObject([{ output: 'ran' }]);
    expect(ran).toEqual([]);
    expect((await site.lineshaft.showQueue(paused)).lanes).toMatchObject([{ ready: 10_001, running: 0 }]);
    await site.lineshaft.resumeQueue(paused);
    await until('thousands have run', () => ran.length >= 5_000, 20_000);
    await site.lineshaft.pauseQueue(paused);
    await worker.stop();
    expect(ran.slice(0, 5_000)).toEqual(Array.from({ length: 5_000 }, (_, n) => n));
    const [left] = await site.rows<{ jobs: string; ready: string }>(
      `select (select count(*) from lineshaft.job) as jobs, (select count(*) from lineshaft.ready) as ready`,
    );
    expect(left).toEqual({ jobs: String(many - ran.length), ready: String(many - ran.length) });
  });
});
