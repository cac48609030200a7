import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { eventOf, openSite, openStranger, type Site, until, versions } from '../worker/site.ts';

describe.each(versions)('partitions of history, on PostgreSQL %i', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterEach(() => site.rest());
  afterAll(() => site.close());

  async function partitions(): Promise<string[]> {
    const text =
      "select relname from pg_class where relname ~ '^history_\\d{8}$' and relkind = 'r' order by relname";
    return (await site.rows<{ relname: string }>(text)).map((row) => row.relname);
  }

  /** A partition of a day that is long over, with one job in it, of which nothing is to be kept. */
  async function expiredPartition(daysAgo: number): Promise<string> {
    const [made] = await site.rows<{ name: string }>(
      `with day as (select current_date - $1::integer as day)
      select lineshaft.make_history_partition(day), 'history_' || to_char(day, 'YYYYMMDD') as name from day`,
      [daysAgo],
    );
    await site.rows(
      `with job as (select gen_random_uuid() as id)
      insert into lineshaft.history (finished_at, expires_at, ids, id_span, lanes, entries)
      select current_date - $1::integer + interval '1 hour', now() - interval '1 day', array[id],
        lineshaft.id_range(id, id, '[]'), '{1}', '[1,"succeeded",1,0,0,0,"w",null,null,{}]' from job`,
      [daysAgo],
    );
    return made?.name ?? '';
  }

  /** A worker whose services begin with the house-keeping. */
  async function keepHouse(queue: string) {
    return await site.work(queue, { leaseMs: 1_000, handlers: { one: () => 1 } });
  }

  test('expired partitions are dropped, never under a long reader, while completions go on', async () => {
    const expired = [await expiredPartition(12), await expiredPartition(11)];
    const queue = await site.queue();
    await using reader = await openStranger(site.url);
    await reader.query('set transaction isolation level repeatable read');
    const before = await reader.query('select count(*) from lineshaft.history');
    const first = await keepHouse(queue);
    await until('one is being detached', async () => {
      return (await site.rows('select 1 from pg_inherits where inhdetachpending')).length > 0;
    });
    const made = await site.lineshaft.enqueueMany(Array.from({ length: 50 }, () => ({ kind: 'one', queue })));
    const finished = await site.lineshaft.waitFor(
      made.map((each) => each.id),
      { timeoutMs: 2_500 },
    );
    expect(finished.every((job) => job.state === 'succeeded')).toBe(true);
    expect((await reader.query('select count(*) from lineshaft.history')).rows).toEqual(before.rows);
    await until('the attempt was given up for now', async () => {
      const text =
        "select 1 from pg_stat_activity where query ilike 'alter table%detach%' and state = 'active'";
      return (await site.rows(text)).length === 0;
    });
    expect(await partitions()).toEqual(expect.arrayContaining(expired));
    await reader.query('commit');
    await first.stop();
    await keepHouse(queue);
    await until('both are gone', async () => {
      const left = await partitions();
      return expired.every((name) => !left.includes(name));
    });
    expect(site.log.count(/keeper/)).toBe(0);
  });

  test('a partition that was detached and not dropped is dropped later', async () => {
    const name = await expiredPartition(20);
    await site.rows(`alter table lineshaft.history detach partition lineshaft.${name}`);
    await keepHouse('none');
    await until('it is gone', async () => !(await partitions()).includes(name));
  });

  test('what is kept longer keeps its partition', async () => {
    const name = await expiredPartition(30);
    await site.rows(`update lineshaft.${name} set expires_at = now() + interval '1 day'`);
    const gone = await expiredPartition(29);
    await keepHouse('none');
    await until('the house is kept', async () => !(await partitions()).includes(gone));
    expect(await partitions()).toContain(name);
  });

  test('jobs that finish when no partition is there yet are written as soon as there is one', async () => {
    const queue = await site.queue();
    await site.rows(`do $$ declare part regclass; begin
      for part in
        select inhrelid::regclass from pg_inherits where inhparent = 'lineshaft.history'::regclass
      loop
        execute format('drop table %s', part);
      end loop;
    end $$`);
    const made = await site.lineshaft.enqueueMany(Array.from({ length: 20 }, () => ({ kind: 'one', queue })));
    let runs = 0;
    const handlers = {
      one: () => {
        runs += 1;
      },
    };
    const worker = await site.work(queue, { leaseMs: 1_000, handlers });
    await until('they ran', () => runs === 20);
    const finished = await site.lineshaft.waitFor(
      made.map((each) => each.id),
      { timeoutMs: 10_000 },
    );
    expect(finished.map((job) => job.state)).toEqual(made.map(() => 'succeeded'));
    expect(runs).toBe(20);
    const stopped = eventOf(worker, 'stopped');
    await worker.stop();
    await stopped.catch(() => {});
    expect((await partitions()).length).toBeGreaterThanOrEqual(9);
  });

  test('dead letters are forgotten when their retention is over, with their unique keys', async () => {
    const queue = await site.queue({ maxAttempts: 1, retention: { failedMs: 0 } });
    const handlers = {
      fail: () => {
        throw new Error('no');
      },
    };
    const failing = await site.work(queue, { handlers });
    const { id } = await site.lineshaft.enqueue('fail', null, {
      queue,
      unique: { key: 'k', states: ['failed'], keepMs: 1 },
    });
    await site.lineshaft.waitFor([id], { timeoutMs: 10_000 });
    await failing.stop();
    await keepHouse('none');
    await until('it is forgotten', async () => {
      return (await site.rows('select 1 from lineshaft.job where id = $1', [id])).length === 0;
    });
    await until(
      'its key too',
      async () => (await site.rows('select 1 from lineshaft.unique_key')).length === 0,
    );
  });
});
