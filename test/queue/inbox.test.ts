/** Jobs that a transaction of a caller's has left in the inbox: whoever looks for jobs takes them in. */

import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { fromPg } from '../../packages/core/src/adapters/pg.ts';
import type { CallerTransaction, Lineshaft } from '../../packages/core/src/index.ts';
import { openSite, type Site, until, versions } from '../worker/site.ts';

describe.each(versions)('the inbox, on PostgreSQL %i', (version) => {
  let site: Site;
  let lineshaft: Lineshaft;
  let client: pg.Client;
  beforeAll(async () => {
    site = await openSite(version);
    lineshaft = site.lineshaft;
    client = new pg.Client({ connectionString: site.url });
    await client.connect();
  });
  afterEach(() => site.rest());
  afterAll(async () => {
    await client.end();
    await site.close();
  });

  /** A caller who dies between his commit and what he does after it. */
  function dying(): CallerTransaction {
    return { ...fromPg(client), afterCommit: () => {} };
  }

  async function leave(queue: string, ...payloads: unknown[]): Promise<string[]> {
    const ids: string[] = [];
    await client.query('begin');
    for (const payload of payloads)
      ids.push((await lineshaft.within(dying()).enqueue('greet', payload, { queue })).id);
    await client.query('commit');
    return ids;
  }

  const inInbox = async (): Promise<number> =>
    Number((await site.rows<{ n: string }>('select count(*) as n from lineshaft.inbox'))[0]?.n);

  test('a job waits in it until somebody looks: show, list, cancel, retry, delete, the queue', async () => {
    const queue = await site.queue();
    const looks: ((id: string) => Promise<unknown>)[] = [
      async (id) => expect((await lineshaft.showJob(id)).state).toBe('ready'),
      async (id) => expect((await lineshaft.listJobs({ queue })).map((job) => job.id)).toContain(id),
      async (id) => expect(await lineshaft.cancel([id])).toEqual([{ id, result: 'cancelled' }]),
      async (id) => expect(await lineshaft.retry([id])).toEqual([{ id, result: 'ready' }]),
      async (id) => expect(await lineshaft.deleteJobs([id])).toEqual([{ id, result: 'deleted' }]),
      async () => expect((await lineshaft.showQueue(queue)).lanes[0]?.ready).toBeGreaterThan(0),
    ];
    for (const look of looks) {
      const [id = ''] = await leave(queue, 'waits');
      expect(await inInbox()).toBe(1);
      await look(id);
      expect(await inInbox()).toBe(0);
    }
  });

  test('a worker finds it without a word, and who waits for it is not told that it is forgotten', async () => {
    const queue = await site.queue();
    const [id = ''] = await leave(queue, 'found');
    const waiting = lineshaft.waitFor([id], { timeoutMs: 20_000 });
    await site.work(queue, { handlers: { greet: (payload: unknown) => payload } });
    expect(await waiting).toMatchObject([{ id, state: 'succeeded', output: 'found' }]);
  });

  test('a worker that stops when all is done does it before', async () => {
    const queue = await site.queue();
    const [id = ''] = await leave(queue, 'once');
    const worker = lineshaft.worker({
      queues: [queue],
      once: true,
      signals: false,
      handlers: { greet: () => 'done' },
    });
    const stopped = new Promise((resolve) => worker.once('stopped', () => resolve(undefined)));
    await worker.start();
    await stopped;
    expect((await lineshaft.waitFor([id]))[0]?.output).toBe('done');
  });

  test('what is enqueued afterwards goes behind it, one by one and many at once', async () => {
    const queue = await site.queue({ concurrency: 1 });
    const left = await leave(queue, 1, 2, 3);
    await lineshaft.enqueue('greet', 4, { queue });
    const again = await leave(queue, 5);
    await lineshaft.enqueueMany([6, 7].map((payload) => ({ kind: 'greet', payload, queue })));
    expect([...left, ...again]).toHaveLength(4);
    expect(await inInbox()).toBe(0);
    const order: number[] = [];
    await site.work(queue, { handlers: { greet: (n: number) => void order.push(n) } });
    await until('all ran', () => order.length === 7);
    expect(order).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  test('jobs of one transaction keep their order, also those that are sent together', async () => {
    const queue = await site.queue({ concurrency: 1 });
    await client.query('begin');
    const within = lineshaft.within(fromPg(client));
    await within.enqueueMany([1, 2, 3].map((payload) => ({ kind: 'greet', payload, queue })));
    await within.enqueue('greet', 4, { queue });
    await within.enqueueMany([5, 6].map((payload) => ({ kind: 'greet', payload, queue })));
    await client.query('commit');
    await until('taken in', async () => (await inInbox()) === 0);
    const order: number[] = [];
    await site.work(queue, { handlers: { greet: (n: number) => void order.push(n) } });
    await until('all ran', () => order.length === 6);
    expect(order).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('a queue that has a job in the inbox is not empty', async () => {
    const queue = await site.queue();
    await leave(queue, 'here');
    await expect(lineshaft.deleteQueue(queue)).rejects.toMatchObject({ code: 'QUEUE_NOT_EMPTY' });
    await lineshaft.deleteQueue(queue, { purge: true });
    expect(await inInbox()).toBe(0);
  });

  test('who enqueues at the moment of a deletion is told that the queue is gone, and nothing is lost', async () => {
    const queue = await site.queue();
    const deleting = new pg.Client({ connectionString: site.url });
    await deleting.connect();
    // Prepared before, as by a caller who has used the queue for long.
    await leave(queue, 'before');
    await lineshaft.deleteJobs((await lineshaft.listJobs({ queue })).map((job) => job.id));
    await deleting.query('begin');
    const [row] = await site.rows<{ id: string }>('select id from lineshaft.queue where name = $1', [queue]);
    const { rows } = await deleting.query('select lineshaft.delete_queue($1, false) as result', [row?.id]);
    expect(rows).toEqual([{ result: 'deleted' }]);
    await client.query('begin');
    const enqueued = lineshaft.within(dying()).enqueue('greet', 'too late', { queue });
    await until('the enqueue waits', async () => {
      const [waiting] = await site.rows<{ n: string }>(
        "select count(*) as n from pg_stat_activity where wait_event_type = 'Lock' and query like '%inbox%'",
      );
      return Number(waiting?.n) > 0;
    });
    await deleting.query('commit');
    await expect(enqueued).rejects.toMatchObject({ code: 'QUEUE_NOT_FOUND' });
    await client.query('rollback');
    await deleting.end();
  });

  test('a large payload goes through it too', async () => {
    const queue = await site.queue();
    const [id = ''] = await leave(queue, 'x'.repeat(50_000));
    expect(await inInbox()).toBe(1);
    expect((await lineshaft.showJob(id)).payload).toHaveLength(50_000);
  });

  test('a queue into whose inbox somebody puts a job at this moment is deleted only with a purge', async () => {
    const queue = await site.queue();
    await client.query('begin');
    await lineshaft.within(dying()).enqueue('greet', 'on its way', { queue });
    await expect(lineshaft.deleteQueue(queue)).rejects.toMatchObject({ code: 'QUEUE_NOT_EMPTY' });
    await lineshaft.deleteQueue(queue, { purge: true });
    await client.query('commit');
    expect(await inInbox()).toBe(1);
    await lineshaft.listJobs();
    expect(await inInbox()).toBe(0);
  });

  test('two that take in at the same time take each job once', async () => {
    const queue = await site.queue();
    const ids = await leave(queue, ...Array.from({ length: 60 }, (_, n) => n));
    const others = Array.from({ length: 4 }, () => site.other());
    await Promise.all(others.map((other) => other.listJobs({ queue, limit: 100 })));
    const listed = (await lineshaft.listJobs({ queue, limit: 100 })).map((job) => job.id);
    expect(listed.sort()).toEqual(ids.sort());
  });

  test('a job that names options, an id or a key does not go through it', async () => {
    const queue = await site.queue();
    await client.query('begin');
    const within = lineshaft.within(dying());
    await within.enqueue('greet', 1, { queue, priority: 3 });
    await within.enqueue('greet', 2, { queue, unique: { key: 'one' } });
    const { rows } = await client.query<{ n: string }>('select count(*) as n from lineshaft.inbox');
    await client.query('commit');
    expect(Number(rows[0]?.n)).toBe(0);
  });
});
