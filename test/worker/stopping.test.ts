import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { JobContext } from '../../packages/core/src/index.ts';
import { startLossyProxy } from '../faults/proxy.ts';
import { waitingSteps } from '../workflow/waiting-steps.ts';
import { eventOf, freshName, gate, openSite, type Site, until } from './site.ts';

describe('starting and stopping a worker', () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(18);
  });
  afterEach(() => site.rest());
  afterAll(() => site.close());

  test('a worker may be stopped before it was started, and is started no more', async () => {
    const worker = site.lineshaft.worker({ signals: false, handlers: {} });
    const stopped = worker.stopped();
    await worker.stop();
    await stopped;
    await expect(worker.start()).rejects.toMatchObject({ code: 'CLOSED' });
  });

  test('stopping twice, or at once as well, is harmless', async () => {
    const worker = await site.work('none', { handlers: {} });
    await Promise.all([worker.stop(), worker.stop(), worker.stopNow()]);
    await worker.stop();
    await worker.stopped();
  });

  test('a worker is started once', async () => {
    const worker = await site.work('none', { handlers: {} });
    await expect(worker.start()).rejects.toMatchObject({ code: 'CLOSED' });
  });

  test('a worker that is stopped while it starts is gone afterwards', async () => {
    const worker = site.lineshaft.worker({ signals: true, workerId: 'hasty', handlers: {} });
    const listeners = process.listenerCount('SIGTERM');
    const starting = worker.start().catch(() => {});
    await worker.stop();
    await starting;
    expect((await site.lineshaft.workers()).map((view) => view.workerId)).not.toContain('hasty');
    expect(process.listenerCount('SIGTERM')).toBe(listeners);
  });

  test('a worker that could not start, and stops, leaves those alone that poll', async () => {
    const kind = freshName('kind');
    const [made] = await waitingSteps(site, kind, 1);
    const request = { kind, workerId: 'polls', count: 1, timeoutMs: 0 };
    expect(await site.lineshaft.workflows.poll(request)).toHaveLength(1);
    await using proxy = await startLossyProxy(site.url);
    const worker = site.other({ databaseUrl: proxy.url }).worker({ signals: false, handlers: {} });
    const registers = proxy.loseAnswerTo('register_worker');
    const starting = worker.start();
    await registers;
    proxy.cut();
    await expect(starting).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    await worker.stop();
    const held = await site.rows('select from lineshaft.job_lease where job_id = $1', [made?.stepId]);
    expect(held).toHaveLength(1);
    expect(await site.rows('select from lineshaft.worker where id = 0')).toHaveLength(1);
    await waitingSteps(site, kind, 1);
    expect(await site.lineshaft.workflows.poll(request)).toHaveLength(1);
  });

  test('a worker that cannot start says why, and can be stopped', async () => {
    const elsewhere = site.other({ schema: 'nothing_here' });
    const worker = elsewhere.worker({ signals: false, handlers: {} });
    await expect(worker.start()).rejects.toMatchObject({ code: 'SCHEMA_MISSING' });
    await worker.stop();
    await worker.stopped();
  });

  test('a clean stop gives the leadership away at once', async () => {
    const leader = async (): Promise<string | undefined> =>
      (await site.lineshaft.workers()).find((worker) => worker.leads)?.workerId;
    const first = await site.work('none', { workerId: 'one', leaseMs: 60_000, handlers: {} });
    await until('it leads', async () => (await leader()) === 'one');
    await site.work('none', { workerId: 'two', leaseMs: 60_000, handlers: {} });
    await first.stop();
    await until('the other leads', async () => (await leader()) === 'two');
  });

  test('an interrupted attempt is given back uncounted, and another worker runs it at once', async () => {
    const queue = await site.queue({ pollingIntervalMs: 60_000, concurrency: 1 });
    const started = gate();
    const handlers = {
      long: async (_payload: unknown, job: JobContext) => {
        started.open();
        await new Promise((resolve) => job.signal.addEventListener('abort', resolve));
        throw job.signal.reason;
      },
    };
    const first = await site.work(queue, { handlers });
    const { id } = await site.lineshaft.enqueue('long', null, { queue });
    await started.opened;
    await site.work(queue, {
      handlers: { long: (_payload: unknown, job: JobContext) => job.attempt },
    });
    await first.stopNow();
    expect(await site.lineshaft.waitFor([id], { timeoutMs: 5_000 })).toMatchObject([{ output: 1 }]);
  });

  test('a stop waits for running attempts only so long, then interrupts them', async () => {
    const queue = await site.queue();
    const started = gate();
    const worker = await site.work(queue, {
      shutdownTimeoutMs: 20,
      graceMs: 20,
      handlers: {
        deaf: async () => {
          started.open();
          await new Promise(() => {});
        },
      },
    });
    const { id } = await site.lineshaft.enqueue('deaf', null, { queue });
    await started.opened;
    await worker.stop();
    expect(await site.lineshaft.showJob(id)).toMatchObject({ state: 'ready', attempt: 0, rescued: 0 });
  });

  test('closing the client stops its workers', async () => {
    const queue = await site.queue();
    const client = site.other();
    const worker = client.worker({ queues: [queue], signals: false, handlers: { one: () => 1 } });
    await worker.start();
    const stopped = eventOf(worker, 'stopped');
    await client.close();
    await stopped;
    await expect(client.enqueue('one', null, { queue })).rejects.toMatchObject({ code: 'CLOSED' });
  });

  test('a slow job does not hold back those that were claimed with it', async () => {
    const queue = await site.queue({ concurrency: 1, pollingIntervalMs: 60_000 });
    const hold = gate();
    const slow = gate();
    const by: string[] = [];
    const handlers = (name: string) => ({
      quick: () => void by.push(name),
      slow: async () => {
        slow.open();
        await hold.opened;
      },
    });
    await site.work(queue, { slots: 1, handlers: handlers('first') });
    const kinds = [
      ...Array.from({ length: 400 }, () => 'quick'),
      'slow',
      ...Array.from({ length: 100 }, () => 'quick'),
    ];
    const made = await site.lineshaft.enqueueMany(kinds.map((kind) => ({ kind, queue })));
    await slow.opened;
    await site.work(queue, { handlers: handlers('second') });
    const quick = made.filter((_, n) => kinds[n] === 'quick').map((each) => each.id);
    await site.lineshaft.waitFor(quick, { timeoutMs: 10_000 });
    expect(by.filter((name) => name === 'second')).toHaveLength(100);
    hold.open();
  });

  test('the log names what is wrong with options before anything is done', () => {
    const wrong: readonly object[] = [
      { slot: 5 },
      { slots: 0 },
      { leaseMs: 999 },
      { heartbeatMs: 10_000 },
      { executor: 'fork' },
      { tags: ['a*b'] },
    ];
    for (const options of wrong) {
      expect(() => site.lineshaft.worker({ handlers: {}, ...options })).toThrow(
        /slot|leaseMs|heartbeatMs|executor|tag/,
      );
    }
    expect(() => site.lineshaft.worker({ handlers: { one: 5 as never } })).toThrow("the handler of 'one'");
  });
});
