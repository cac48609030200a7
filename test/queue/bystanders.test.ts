/** One caller's trouble stays his own: open transactions, bad payloads, ids that are sent again. */

import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fromPg } from '../../packages/core/src/adapters/pg.ts';
import type { EnqueueResult, Lineshaft } from '../../packages/core/src/index.ts';
import { openSite, type Site, until, versions } from '../worker/site.ts';

describe.each(versions)('enqueueing beside the trouble of others, on PostgreSQL %i', (version) => {
  let site: Site;
  let lineshaft: Lineshaft;
  let stranger: pg.Client;
  beforeAll(async () => {
    site = await openSite(version);
    lineshaft = site.lineshaft;
    stranger = new pg.Client({ connectionString: site.url });
    await stranger.connect();
    // Opens the connections, so that times below are those of the work.
    await lineshaft.enqueue('warm', 1);
    await lineshaft.enqueue('warm', 1, { unique: { key: 'warm' } });
    await lineshaft.enqueueMany([{ kind: 'warm' }]);
  });
  afterAll(async () => {
    await stranger.end();
    await site.close();
  });

  /** A transaction of a stranger's that stays open while others work. */
  const meanwhile = async (begin: () => Promise<unknown>, work: () => Promise<unknown>): Promise<void> => {
    await stranger.query('begin');
    try {
      await begin();
      await work();
    } finally {
      await stranger.query('commit');
    }
  };

  const timed = async (work: () => Promise<unknown>): Promise<number> => {
    const startedMs = performance.now();
    await work();
    return performance.now() - startedMs;
  };

  test("a caller's open transaction that holds a unique key while others enqueue", async () => {
    const unique = { key: 'held' };
    let held: EnqueueResult | undefined;
    const same: Promise<EnqueueResult>[] = [];
    const bulk: Promise<EnqueueResult[]>[] = [];
    let answered = 0;
    await meanwhile(
      async () => {
        held = await lineshaft.within(fromPg(stranger)).enqueue('new-kind-of-stranger', 1, { unique });
      },
      async () => {
        // More than wait side by side.
        for (let n = 0; n < 6; n += 1) same.push(lineshaft.enqueue('once', n, { unique }));
        bulk.push(
          lineshaft.enqueueMany([
            { kind: 'once', unique: { key: 'beside' } },
            { kind: 'once', unique },
          ]),
        );
        const count = (): void => {
          answered += 1;
        };
        for (const call of [...same, ...bulk]) void call.then(count);
        const plainMs = await timed(() => lineshaft.enqueue('once', 1));
        const kindMs = await timed(() => lineshaft.enqueue('new-kind-of-stranger', 2));
        const keyedMs = await timed(() => lineshaft.enqueue('once', 1, { unique: { key: 'other' } }));
        const manyMs = await timed(() =>
          lineshaft.enqueueMany(Array.from({ length: 3_000 }, (_, n) => ({ kind: 'once', payload: n }))),
        );
        const manyKeyedMs = await timed(() =>
          lineshaft.enqueueMany(
            Array.from({ length: 30 }, (_, n) => ({ kind: 'once', unique: { key: `many ${n}` } })),
          ),
        );
        expect(answered).toBe(0);
        // The keyed ones may have waited a moment behind one that waited for the key.
        expect(Math.max(plainMs, kindMs)).toBeLessThan(500);
        expect(keyedMs).toBeLessThan(2_000);
        expect(Math.max(manyMs, manyKeyedMs)).toBeLessThan(3_000);
      },
    );
    for (const call of same) expect(await call).toEqual({ id: held?.id, result: 'kept' });
    expect((await bulk[0])?.[1]).toEqual({ id: held?.id, result: 'kept' });
  });

  test('when the holder of the key rolls back, exactly one of those who waited gets it', async () => {
    const unique = { key: 'given up' };
    await stranger.query('begin');
    const { id } = await lineshaft.within(fromPg(stranger)).enqueue('once', 1, { unique });
    const others = [site.other(), site.other()];
    const waiting = [lineshaft, ...others].map((client) => client.enqueue('once', 2, { unique }));
    await new Promise((resolve) => setTimeout(resolve, 250));
    await stranger.query('rollback');
    const results = await Promise.all(waiting);
    expect(results.map((result) => result.result).sort()).toEqual(['kept', 'kept', 'new']);
    expect(new Set(results.map((result) => result.id)).size).toBe(1);
    expect(results[0]?.id).not.toBe(id);
  });

  test('an open transaction that was answered `kept` does not hold up the job that has the key', async () => {
    const queue = await site.queue();
    const unique = { key: 'kept in the open' };
    const { id } = await lineshaft.enqueue('once', 1, { queue, unique });
    await meanwhile(
      async () => {
        const answer = await lineshaft.within(fromPg(stranger)).enqueue('once', 2, { queue, unique });
        expect(answer).toEqual({ id, result: 'kept' });
      },
      async () => {
        await site.work(queue, { handlers: { once: () => 'done' } });
        expect(await lineshaft.waitFor([id], { timeoutMs: 5_000 })).toMatchObject([{ state: 'succeeded' }]);
      },
    );
  });

  test('an open transaction that enqueued does not keep others from waking workers', async () => {
    const queue = await site.queue({ pollingIntervalMs: 60_000 });
    const ran: unknown[] = [];
    await site.work(queue, { handlers: { once: (n: unknown) => void ran.push(n) } });
    await meanwhile(
      () => stranger.query("select lineshaft.enqueue('once', '1', $1)", [JSON.stringify({ queue })]),
      async () => {
        await new Promise((resolve) => setTimeout(resolve, 120));
        await site.rows("select lineshaft.enqueue('once', '2', $1)", [JSON.stringify({ queue })]);
        await until('the other has run', () => ran.length === 1);
      },
    );
    await until('both have run', () => ran.length === 2);
    expect(ran).toEqual([2, 1]);
  });

  test('many who use a new kind at the same moment share few lanes', async () => {
    const queue = await site.queue({ concurrency: 1 });
    const clients = Array.from({ length: 12 }, () => site.other());
    const results = await Promise.all(
      clients.map((client, n) => client.enqueue('all-at-once', n, { queue })),
    );
    const later = await lineshaft.enqueue('all-at-once', 'last', { queue });
    const lanes = await site.rows("select 1 from lineshaft.lane where kind = 'all-at-once'");
    expect(lanes.length).toBeLessThanOrEqual(2);
    const ran: unknown[] = [];
    await site.work(queue, { handlers: { 'all-at-once': (n: unknown) => void ran.push(n) }, slots: 1 });
    await lineshaft.waitFor([...results.map((result) => result.id), later.id], { timeoutMs: 5_000 });
    expect(ran).toHaveLength(13);
    expect(ran.at(-1)).toBe('last');
    await Promise.all(clients.map((client) => client.close()));
  });

  test('jobs of one kind in two lanes of the same content keep their order', async () => {
    const queue = await site.queue({ concurrency: 1 });
    let first = '';
    await meanwhile(
      async () => {
        const { rows } = await stranger.query("select id from lineshaft.enqueue('twin', '\"first\"', $1)", [
          { queue },
        ]);
        first = rows[0].id;
      },
      async () => {
        await lineshaft.enqueue('twin', 'second', { queue });
      },
    );
    await lineshaft.enqueue('twin', 'third', { queue });
    expect(await site.rows("select 1 from lineshaft.lane where kind = 'twin'")).toHaveLength(2);
    expect(await lineshaft.enqueue('twin', 'first', { queue, id: first })).toEqual({
      id: first,
      result: 'kept',
    });
    const ran: unknown[] = [];
    await site.work(queue, { handlers: { twin: (n: unknown) => void ran.push(n) }, slots: 1 });
    await until('all have run', () => ran.length === 3);
    expect(ran).toEqual(['first', 'second', 'third']);
  });

  test('one bad payload among a thousand coalesced: only the culprit is refused', async () => {
    const queue = await site.queue();
    // Smaller in the database than in this process, so that only the database sees it.
    await site.rows("update lineshaft.setting set value = '1000' where name = 'payload_max_bytes'");
    const calls = Array.from({ length: 1_000 }, (_, n) =>
      lineshaft.enqueue('once', n === 637 ? 'x'.repeat(1_001) : n, { queue }),
    );
    const ended = await Promise.allSettled(calls);
    await site.rows("update lineshaft.setting set value = '1048576' where name = 'payload_max_bytes'");
    const refused = ended.flatMap((end, n) => (end.status === 'rejected' ? [{ n, reason: end.reason }] : []));
    expect(refused).toMatchObject([{ n: 637, reason: { code: 'PAYLOAD_TOO_LARGE' } }]);
    const ids = ended.flatMap((end) => (end.status === 'fulfilled' ? [end.value.id] : []));
    const rows = await site.rows<{ payload: number }>(
      'select payload from lineshaft.job where id = any ($1) order by due, seq',
      [ids],
    );
    expect(rows.map((row) => row.payload)).toEqual(
      Array.from({ length: 1_000 }, (_, n) => n).filter((n) => n !== 637),
    );
  });

  test('one queue that is not there, and one id that was used, among many coalesced', async () => {
    const { id } = await lineshaft.enqueue('once', 'used');
    const plain = Array.from({ length: 300 }, (_, n) =>
      lineshaft.enqueue('once', n, n === 100 ? { queue: 'nowhere' } : {}),
    );
    const keyed = Array.from({ length: 300 }, (_, n) =>
      lineshaft.enqueue('once', n, n === 200 ? { id } : { unique: { key: `coalesced ${n}` } }),
    );
    const ended = await Promise.allSettled([...plain, ...keyed]);
    const refused = ended.flatMap((end, n) => (end.status === 'rejected' ? [[n, end.reason.code]] : []));
    expect(refused).toEqual([
      [100, 'QUEUE_NOT_FOUND'],
      [500, 'JOB_ID_CONFLICT'],
    ]);
  });
});
