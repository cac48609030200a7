import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventOf, freshName, gate, openSite, openStranger, type Site, until, versions } from './site.ts';

describe.each(versions)('settings of queues that change while a worker runs, on PostgreSQL %i', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterAll(() => site.close());

  /** A handler that counts how many of it run at once, and ends when it is let. */
  function counting() {
    const state = { running: 0, hold: gate() };
    const handler = async (): Promise<void> => {
      state.running += 1;
      await state.hold.opened;
      state.running -= 1;
    };
    return { state, handler };
  }

  test('a raised concurrency is used and a lowered one is kept, without waiting for a poll', async () => {
    const queue = await site.queue({ concurrency: 2, pollingIntervalMs: 60_000 });
    const { state, handler } = counting();
    const worker = await site.work(queue, { handlers: { long: handler } });
    await site.lineshaft.enqueueMany(Array.from({ length: 12 }, () => ({ kind: 'long', queue })));
    await until('two run', () => state.running === 2);
    await site.lineshaft.declare({ name: queue, concurrency: 5 });
    await until('five run', () => state.running === 5);
    const seen = eventOf(worker, 'settings');
    await site.lineshaft.declare({ name: queue, concurrency: 1 });
    await seen;
    const before = state.hold;
    state.hold = gate();
    before.open();
    await until('one runs', () => state.running === 1);
    state.hold.open();
    await until(
      'all have run',
      async () => (await site.lineshaft.listJobs({ queue, state: 'succeeded' })).length === 12,
    );
  });

  test('a paused queue waits, what runs goes on, and a resumed one goes on within a second', async () => {
    const queue = await site.queue({ concurrency: 1, pollingIntervalMs: 60_000 });
    const { state, handler } = counting();
    const worker = await site.work(queue, { handlers: { long: handler } });
    const made = await site.lineshaft.enqueueMany(Array.from({ length: 3 }, () => ({ kind: 'long', queue })));
    const [first = '', ...rest] = made.map((each) => each.id);
    await until('one runs', () => state.running === 1);
    const seen = eventOf(worker, 'settings');
    await site.lineshaft.pauseQueue(queue);
    await seen;
    state.hold.open();
    await site.lineshaft.waitFor([first], { timeoutMs: 10_000 });
    for (const id of rest) expect((await site.lineshaft.showJob(id)).state).toBe('ready');
    const another = await site.lineshaft.enqueue('long', null, { queue });
    await site.lineshaft.resumeQueue(queue);
    await site.lineshaft.waitFor([...rest, another.id], { timeoutMs: 2_000 });
  });

  test('a queue that is paused until a time goes on by itself', async () => {
    const queue = await site.queue({ pollingIntervalMs: 60_000 });
    const worker = await site.work(queue, { handlers: { one: () => 'went on' } });
    // A pause holds from when the worker has heard of it.
    const heard = new Promise<void>((resolve) => worker.once('settings', () => resolve()));
    await site.lineshaft.pauseQueue(queue, { until: new Date(Date.now() + 1_000) });
    await heard;
    const { id } = await site.lineshaft.enqueue('one', null, { queue });
    expect(await site.lineshaft.waitFor([id], { timeoutMs: 10_000 })).toMatchObject([{ output: 'went on' }]);
    expect((await site.lineshaft.showQueue(queue)).queue).toMatchObject({
      state: 'active',
      resumeAt: undefined,
    });
  });

  test('a queue that is declared while a worker runs is served by it', async () => {
    const name = freshName('new');
    await site.work([name], { handlers: { one: () => 'served' } });
    await expect(site.lineshaft.enqueue('one', null, { queue: name })).rejects.toMatchObject({
      code: 'QUEUE_NOT_FOUND',
    });
    await site.lineshaft.declare({ name, pollingIntervalMs: 60_000 });
    const { id } = await site.lineshaft.enqueue('one', null, { queue: name });
    expect(await site.lineshaft.waitFor([id], { timeoutMs: 2_000 })).toMatchObject([{ output: 'served' }]);
  });

  test('a queue whose tags no longer fit a worker is left by it, with what it held', async () => {
    const name = freshName('moved');
    await site.lineshaft.declare({ name, tags: ['site=a'], concurrency: 1, pollingIntervalMs: 60_000 });
    const { state, handler } = counting();
    await site.work(name, { tags: ['site=a'], handlers: { long: handler } });
    await site.work(name, { tags: ['site=b'], handlers: { long: () => 'at b' } });
    const made = await site.lineshaft.enqueueMany(
      Array.from({ length: 5 }, () => ({ kind: 'long', queue: name })),
    );
    const [first = '', ...rest] = made.map((each) => each.id);
    await until('one runs', () => state.running === 1);
    await site.lineshaft.declare({ name, tags: ['site=b'] });
    const moved = await site.lineshaft.waitFor(rest, { timeoutMs: 5_000 });
    expect(moved.map((job) => job.output)).toEqual(rest.map(() => 'at b'));
    state.hold.open();
    expect(await site.lineshaft.waitFor([first], { timeoutMs: 10_000 })).toMatchObject([
      { state: 'succeeded' },
    ]);
  });

  test('a queue is deleted only when it is empty, or with its jobs, and never while they run', async () => {
    const queue = await site.queue({ maxAttempts: 1 });
    const { state, handler } = counting();
    const worker = await site.work(queue, {
      handlers: {
        long: handler,
        fail: () => {
          throw new Error('dead');
        },
      },
    });
    const running = await site.lineshaft.enqueue('long', null, { queue });
    const dead = await site.lineshaft.enqueue('fail', null, { queue });
    const waiting = await site.lineshaft.enqueue('nobody', null, {
      queue,
      unique: { key: freshName('key') },
    });
    await until('it runs', () => state.running === 1);
    await site.lineshaft.waitFor([dead.id], { timeoutMs: 10_000 });
    await expect(site.lineshaft.deleteQueue(queue, { purge: true })).rejects.toMatchObject({
      code: 'QUEUE_NOT_EMPTY',
    });
    state.hold.open();
    await site.lineshaft.waitFor([running.id], { timeoutMs: 10_000 });
    await expect(site.lineshaft.deleteQueue(queue)).rejects.toMatchObject({ code: 'QUEUE_NOT_EMPTY' });
    await site.lineshaft.deleteQueue(queue, { purge: true });
    await expect(site.lineshaft.showJob(waiting.id)).rejects.toMatchObject({ code: 'JOB_NOT_FOUND' });
    await expect(site.lineshaft.enqueue('long', null, { queue })).rejects.toMatchObject({
      code: 'QUEUE_NOT_FOUND',
    });
    await site.lineshaft.declare({ name: queue });
    const again = await site.lineshaft.enqueue('long', null, { queue });
    expect(await site.lineshaft.waitFor([again.id], { timeoutMs: 10_000 })).toMatchObject([
      { state: 'succeeded' },
    ]);
    await worker.stop();
  });

  test.each([
    ['by SQL', {}],
    ['from a program', { priority: 1 }],
    ['from a program, without options', {}],
  ])(
    'a job that is enqueued %s while its queue is deleted holds the queue, and is not lost',
    async (how, options) => {
      const queue = await site.queue();
      const { id: warm } = await site.lineshaft.enqueue('one', null, { queue });
      await site.lineshaft.deleteJobs([warm]);
      await using stranger = await openStranger(site.url);
      const query = async (text: string, values: readonly unknown[]) =>
        (await stranger.query(text, [...values])).rows;
      const [made] =
        how === 'by SQL'
          ? await query(`select id from lineshaft.enqueue('one', '{}', $1)`, [JSON.stringify({ queue })])
          : [await site.lineshaft.within({ query }).enqueue('one', {}, { queue, ...options })];
      const deleting = site.lineshaft.deleteQueue(queue).then(
        () => 'deleted',
        (error: { code: string }) => error.code,
      );
      await until('the deletion waits, or is done', async () => {
        const lock = await site.rows(
          "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
        );
        return lock.length > 0 || (await site.lineshaft.queues()).every((each) => each.name !== queue);
      });
      await stranger.query('commit');
      expect(await deleting).toBe('QUEUE_NOT_EMPTY');
      expect(await site.lineshaft.showJob(String(made?.id))).toMatchObject({ state: 'ready', queue });
    },
  );

  test('a queue that somebody fills in a transaction that stays open is not deleted', async () => {
    const queue = await site.queue();
    await using stranger = await openStranger(site.url);
    await stranger.query(`select id from lineshaft.enqueue('one', '{}', $1)`, [JSON.stringify({ queue })]);
    await expect(site.lineshaft.deleteQueue(queue, { purge: true })).rejects.toMatchObject({
      code: 'QUEUE_NOT_EMPTY',
    });
    await stranger.query('rollback');
    await site.lineshaft.deleteQueue(queue);
  });

  test('a queue whose executor is switched runs its next jobs in the new one', async () => {
    const queue = await site.queue({ executor: 'async' });
    const module = new URL('../fixtures/where.ts', import.meta.url);
    await site.work(queue, { handlers: { where: { module } } });
    const ask = async (): Promise<unknown> => {
      const { id } = await site.lineshaft.enqueue('where', null, { queue });
      const [job] = await site.lineshaft.waitFor([id], { timeoutMs: 15_000 });
      return job?.output ?? job?.error;
    };
    expect(await ask()).toEqual({ thread: 'main', pid: process.pid });
    await site.lineshaft.declare({ name: queue, executor: 'thread', executorOptions: { size: 1 } });
    await until(
      'it runs in a thread',
      async () => ((await ask()) as { thread?: string }).thread === 'worker',
      5_000,
    );
    await site.lineshaft.declare({ name: queue, executor: 'process', executorOptions: { size: 1 } });
    await until(
      'it runs in a process',
      async () => ((await ask()) as { pid?: number }).pid !== process.pid,
      5_000,
    );
  });

  test('a worker that was told to use one executor uses it whatever the queue says', async () => {
    const queue = await site.queue({ executor: 'async' });
    const module = new URL('../fixtures/where.ts', import.meta.url);
    await site.work(queue, {
      executor: 'thread',
      executorOptions: { size: 1 },
      handlers: { where: { module } },
    });
    const { id } = await site.lineshaft.enqueue('where', null, { queue });
    expect(await site.lineshaft.waitFor([id], { timeoutMs: 15_000 })).toMatchObject([
      { output: { thread: 'worker' } },
    ]);
  });
});
