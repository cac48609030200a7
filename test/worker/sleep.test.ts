import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freshName, openSite, type Site, until, versions } from './site.ts';

describe.each(versions)('a worker that lets the database sleep, on PostgreSQL %i', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterAll(() => site.close());

  /** For how long no connection of this program has sent a statement. */
  async function silentMs(): Promise<number> {
    const [row] = await site.rows<{ ms: number }>(
      `select (extract(epoch from clock_timestamp() - max(query_start)) * 1000)::float as ms
       from pg_stat_activity where datname = current_database() and application_name = 'lineshaft'`,
    );
    return row?.ms ?? 0;
  }

  test('asks nothing while nothing is due, and runs at once what is enqueued', async () => {
    const queue = await site.queue();
    const limit = freshName('limit');
    await site.lineshaft.declareLimit({ name: limit, concurrency: 1 });
    const worker = await site.work(queue, {
      letDatabaseSleep: true,
      leaseMs: 1_500,
      // Nothing is found by asking again.
      pollingIntervalMs: 3_600_000,
      handlers: { one: () => 'ran' },
    });
    const disowned: unknown[] = [];
    worker.on('disowned', () => disowned.push(1));
    const first = await site.lineshaft.enqueue('one', null, { queue });
    await site.lineshaft.waitFor([first.id]);
    // Awake it would send a heartbeat each half second.
    await until('it is silent', async () => (await silentMs()) > 4_000, 25_000);
    const [row] = await site.rows<{ lapsed: boolean }>(
      'select lease_until < clock_timestamp() as lapsed from lineshaft.worker where worker_id = $1',
      [worker.id],
    );
    expect(row?.lapsed).toBe(true);
    const second = await site.lineshaft.enqueue('one', null, { queue });
    expect(await site.lineshaft.waitFor([second.id], { timeoutMs: 10_000 })).toMatchObject([
      { output: 'ran' },
    ]);

    // Asleep again, and swept away by the rescuer of somebody else: it registers anew, and that is no trouble.
    await until('it is silent', async () => (await silentMs()) > 4_000, 25_000);
    await site.rows('delete from lineshaft.worker where worker_id = $1', [worker.id]);
    const third = await site.lineshaft.enqueue('one', null, { queue });
    const fourth = await site.lineshaft.enqueue('one', null, { queue, under: [limit] });
    await site.lineshaft.waitFor([third.id, fourth.id], { timeoutMs: 10_000 });
    expect(disowned).toEqual([]);
    expect(await site.rows('select 1 from lineshaft.worker where worker_id = $1', [worker.id])).toHaveLength(
      1,
    );
    await worker.stop();
  }, 90_000);

  test('wakes for what comes due', async () => {
    const queue = await site.queue();
    const worker = await site.work(queue, {
      letDatabaseSleep: true,
      leaseMs: 1_500,
      handlers: { one: () => 'ran' },
    });
    const { id } = await site.lineshaft.enqueue('one', null, { queue, delayMs: 30_000 });
    await until('it is silent', async () => (await silentMs()) > 4_000, 25_000);
    const [due] = await site.rows<{ left: number }>(
      'select extract(epoch from due - clock_timestamp())::float as left from lineshaft.job where id = $1',
      [id],
    );
    expect(due?.left).toBeGreaterThan(0);
    expect(await site.lineshaft.waitFor([id], { timeoutMs: 40_000 })).toMatchObject([{ output: 'ran' }]);
    await worker.stop();
  }, 90_000);
});
