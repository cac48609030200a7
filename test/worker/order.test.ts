import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JobContext } from '../../packages/core/src/index.ts';
import { gate, openSite, type Site, until, versions } from './site.ts';

const hour = 3_600_000;

describe.each(versions)('the order of jobs, on PostgreSQL %i', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterAll(() => site.close());

  /** Runs what waits in a queue one by one, and tells in which order. */
  async function drain(queue: string, kinds: readonly string[], slots = 1): Promise<unknown[]> {
    const order: unknown[] = [];
    const handlers = Object.fromEntries(
      kinds.map((kind) => [kind, (payload: unknown) => void order.push(payload)]),
    );
    const worker = site.lineshaft.worker({ queues: [queue], once: true, signals: false, slots, handlers });
    await worker.start();
    await worker.stopped();
    return order;
  }

  test('a higher priority goes first', async () => {
    const queue = await site.queue({ concurrency: 1, priority: 1 });
    const priorities = [0, -32_768, 32_767, undefined, -1, 2];
    await site.lineshaft.enqueueMany(
      priorities.map((priority) => ({
        kind: 'one',
        queue,
        payload: priority ?? 'of the queue',
        ...(priority === undefined ? {} : { priority }),
      })),
    );
    expect(await drain(queue, ['one'])).toEqual([32_767, 2, 'of the queue', 0, -1, -32_768]);
  });

  test('within a priority jobs of several kinds run in the order in which they were enqueued', async () => {
    const queue = await site.queue({ concurrency: 1 });
    const kinds = ['a', 'b', 'c', 'd', 'e'];
    const expected: number[] = [];
    for (let n = 0; n < 40; n += 1) {
      await site.lineshaft.enqueue(kinds[(n * 7) % 5] ?? 'a', n, { queue });
      expected.push(n);
    }
    expect(await drain(queue, kinds)).toEqual(expected);
  });

  test('priorities hold across kinds too', async () => {
    const queue = await site.queue({ concurrency: 1 });
    const requests = Array.from({ length: 60 }, (_, n) => ({
      kind: `kind${n % 7}`,
      queue,
      priority: n % 3,
      payload: n,
    }));
    await site.lineshaft.enqueueMany(requests);
    const expected = [2, 1, 0].flatMap((priority) =>
      requests.filter((request) => request.priority === priority),
    );
    expect(await drain(queue, [...new Set(requests.map((request) => request.kind))])).toEqual(
      expected.map((request) => request.payload),
    );
  });

  test('queues of one kind and of several are claimed together, each in its order', async () => {
    const queues = [await site.queue(), await site.queue(), await site.queue()];
    const requests = Array.from({ length: 240 }, (_, n) => ({
      // The second queue has jobs of three kinds, the others of one.
      kind: n % 3 === 1 ? `kind${n % 4}` : 'kind0',
      queue: queues[n % 3] ?? '',
      priority: n % 5,
      payload: n,
    }));
    await site.lineshaft.enqueueMany(requests);
    const order: number[] = [];
    const kinds = [...new Set(requests.map((request) => request.kind))];
    const handlers = Object.fromEntries(kinds.map((kind) => [kind, (n: number) => void order.push(n)]));
    const worker = site.lineshaft.worker({ queues, once: true, signals: false, slots: 1, handlers });
    await worker.start();
    await worker.stopped();
    for (const [place, queue] of queues.entries()) {
      const ofQueue = requests.filter((request) => request.queue === queue).map(({ payload }) => payload);
      expect(order.filter((n) => n % 3 === place)).toEqual(
        ofQueue.sort((a, b) => (b % 5) - (a % 5) || a - b),
      );
    }
  });

  test('one call with thousands of jobs keeps their order', async () => {
    const queue = await site.queue({ concurrency: 1 });
    const requests = Array.from({ length: 3_500 }, (_, n) => ({ kind: 'one', queue, payload: n }));
    await site.lineshaft.enqueueMany(requests);
    const rows = await site.rows<{ n: number }>(
      `select (j.payload #>> '{}')::integer as n from lineshaft.ready r
        join lineshaft.job j on j.id = r.job_id join lineshaft.lane l on l.id = r.lane
        join lineshaft.queue q on q.id = l.queue_id where q.name = $1 order by r.due, r.seq`,
      [queue],
    );
    expect(rows.map((row) => row.n)).toEqual(requests.map((request) => request.payload));
    await site.lineshaft.deleteQueue(queue, { purge: true });
  });

  test('a job does not run before its time, neither by runAt nor by delayMs', async () => {
    const queue = await site.queue();
    const soon = await site.lineshaft.enqueue('one', 'soon', { queue, delayMs: 300 });
    const late = await site.lineshaft.enqueue('one', 'late', { queue, runAt: new Date(Date.now() + hour) });
    const now = await site.lineshaft.enqueue('one', 'now', { queue, runAt: '2020-01-01T00:00:00Z' });
    expect((await site.lineshaft.showJob(soon.id)).state).toBe('scheduled');
    expect((await site.lineshaft.showJob(now.id)).state).toBe('ready');
    const order: unknown[] = [];
    await site.work(queue, { handlers: { one: (payload: unknown) => void order.push(payload) } });
    await site.lineshaft.waitFor([soon.id, now.id], { timeoutMs: 10_000 });
    expect(order).toEqual(['now', 'soon']);
    const view = await site.lineshaft.showJob(late.id);
    expect(view.state).toBe('scheduled');
    expect(view.dueAt?.getTime()).toBeGreaterThan(Date.now() + hour - 60_000);
  });

  test('a job whose time was long ago goes behind those that were enqueued before it', async () => {
    const queue = await site.queue({ concurrency: 1 });
    await site.lineshaft.enqueue('one', 'first', { queue });
    await site.lineshaft.enqueue('one', 'second', { queue, runAt: '2020-01-01T00:00:00Z' });
    await site.lineshaft.enqueue('one', 'third', { queue });
    expect(await drain(queue, ['one'])).toEqual(['first', 'second', 'third']);
  });

  test('two workers run each job once', async () => {
    const queue = await site.queue();
    const runs = new Map<number, number>();
    const handlers = { one: (n: number) => void runs.set(n, (runs.get(n) ?? 0) + 1) };
    const requests = Array.from({ length: 2_000 }, (_, n) => ({ kind: 'one', queue, payload: n }));
    await Promise.all([site.work(queue, { handlers }), site.work(queue, { handlers })]);
    const ids = (await site.lineshaft.enqueueMany(requests)).map((result) => result.id);
    await site.lineshaft.waitFor(ids, { timeoutMs: 20_000 });
    expect(runs.size).toBe(2_000);
    expect([...runs.values()].every((count) => count === 1)).toBe(true);
  });

  test('neither the concurrency of a queue nor the slots of a worker are ever exceeded', async () => {
    const wide = await site.queue({ concurrency: 5 });
    const narrow = await site.queue({ concurrency: 2 });
    const running = new Map([
      [wide, 0],
      [narrow, 0],
    ]);
    const most = { all: 0, [wide]: 0, [narrow]: 0 };
    const work = async (_payload: unknown, job: JobContext): Promise<void> => {
      running.set(job.queue, (running.get(job.queue) ?? 0) + 1);
      most[job.queue] = Math.max(most[job.queue] ?? 0, running.get(job.queue) ?? 0);
      most.all = Math.max(most.all, (running.get(wide) ?? 0) + (running.get(narrow) ?? 0));
      await new Promise((resolve) => setImmediate(resolve));
      await new Promise((resolve) => setImmediate(resolve));
      running.set(job.queue, (running.get(job.queue) ?? 0) - 1);
    };
    const requests = Array.from({ length: 400 }, (_, n) => ({
      kind: `k${n % 3}`,
      queue: n % 2 === 0 ? wide : narrow,
    }));
    const ids = (await site.lineshaft.enqueueMany(requests)).map((result) => result.id);
    await site.work([wide, narrow], { slots: 6, handlers: { k0: work, k1: work, k2: work } });
    await site.lineshaft.waitFor(ids, { timeoutMs: 20_000 });
    expect(most[wide]).toBe(5);
    expect(most[narrow]).toBe(2);
    expect(most.all).toBe(6);
  });

  test('a queue with many waiting jobs does not keep another one from its turn', async () => {
    const busy = await site.queue({ concurrency: 2 });
    const quiet = await site.queue({ concurrency: 2 });
    const hold = gate();
    await site.work([busy, quiet], { slots: 3, handlers: { wait: () => hold.opened, go: () => 'went' } });
    const requests = Array.from({ length: 50 }, () => ({ kind: 'wait', queue: busy }));
    const waiting = (await site.lineshaft.enqueueMany(requests)).map((result) => result.id);
    const { id } = await site.lineshaft.enqueue('go', null, { queue: quiet });
    expect(await site.lineshaft.waitFor([id], { timeoutMs: 10_000 })).toMatchObject([{ output: 'went' }]);
    hold.open();
    await site.lineshaft.waitFor(waiting, { timeoutMs: 10_000 });
  });

  test('a worker that runs once stops when nothing is left to claim', async () => {
    const queue = await site.queue();
    const requests = Array.from({ length: 700 }, (_, n) => ({ kind: `k${n % 12}`, queue, payload: n }));
    await site.lineshaft.enqueueMany(requests);
    await site.lineshaft.enqueue('k1', 'far away', { queue, delayMs: hour });
    const kinds = Array.from({ length: 12 }, (_, n) => `k${n}`);
    expect(await drain(queue, kinds, 50)).toHaveLength(700);
    await until('its row is gone', async () =>
      (await site.lineshaft.workers()).every(
        (worker) => !worker.queues.some((slug) => slug.endsWith(`-${queue}`)),
      ),
    );
  });
});
