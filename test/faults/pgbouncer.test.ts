import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { JobContext } from '../../packages/core/src/index.ts';
import { startPgbouncer, type TestPgbouncer } from '../../packages/core/src/testing/pgbouncer.ts';
import { createDatabase } from '../../packages/core/src/testing/server.ts';
import { gate, openSiteAt, type Site, until } from '../worker/site.ts';

describe('behind pgbouncer 1.18 in transaction mode', () => {
  let bouncer: TestPgbouncer;
  let site: Site;
  beforeAll(async () => {
    const url = await createDatabase(inject('postgres15'));
    bouncer = await startPgbouncer(url);
    site = await openSiteAt(url, { databaseUrl: bouncer.url(new URL(url).pathname.slice(1)) });
  });
  afterAll(async () => {
    await site.close();
    await bouncer.stop();
  });

  test('jobs of several queues are enqueued, run, retried and waited for', async () => {
    const queues = [await site.queue({ pollingIntervalMs: 50 }), await site.queue({ pollingIntervalMs: 50 })];
    const worker = await site.work(queues, {
      leaseMs: 1_000,
      handlers: {
        one: (n: number, job: JobContext) => {
          if (n % 50 === 0 && job.attempt === 1) throw new Error('once');
          return n;
        },
      },
    });
    const backoff = { type: 'fixed', delayMs: 0, jitter: 0 } as const;
    const requests = Array.from({ length: 1_200 }, (_, n) => ({
      kind: 'one',
      queue: queues[n % 2] ?? '',
      payload: n,
      backoff,
    }));
    const ids = (await site.lineshaft.enqueueMany(requests)).map((made) => made.id);
    const finished = await site.lineshaft.waitFor(ids, { timeoutMs: 20_000 });
    expect(finished.map((job) => job.output)).toEqual(requests.map((request) => request.payload));
    await worker.stop();
    expect(site.log.count(/refused|not available/)).toBe(0);
  });

  test('a running job is cancelled by way of the heartbeat', async () => {
    const queue = await site.queue({ pollingIntervalMs: 50 });
    const started = gate();
    const aborted = gate();
    await site.work(queue, {
      leaseMs: 1_000,
      handlers: {
        long: async (_payload: unknown, job: JobContext) => {
          job.signal.addEventListener('abort', aborted.open);
          started.open();
          await aborted.opened;
        },
      },
    });
    const { id } = await site.lineshaft.enqueue('long', null, { queue });
    await started.opened;
    expect(await site.lineshaft.cancel([id])).toEqual([{ id, result: 'running' }]);
    await aborted.opened;
    expect(await site.lineshaft.waitFor([id], { timeoutMs: 10_000 })).toMatchObject([{ state: 'cancelled' }]);
  });

  test('settings that change reach the worker with its heartbeat', async () => {
    const queue = await site.queue({ pollingIntervalMs: 50, concurrency: 1 });
    let running = 0;
    const hold = gate();
    await site.work(queue, {
      leaseMs: 1_000,
      handlers: {
        long: async () => {
          running += 1;
          await hold.opened;
        },
      },
    });
    await site.lineshaft.enqueueMany([1, 2, 3].map(() => ({ kind: 'long', queue })));
    await until('one runs', () => running === 1);
    await site.lineshaft.declare({ name: queue, concurrency: 3 });
    await until('three run', () => running === 3);
    hold.open();
  });

  test('a new client may make its first calls side by side', async () => {
    const queue = await site.queue();
    const fresh = site.other();
    const results = await Promise.all([
      fresh.enqueue('none', 1, { queue }),
      fresh.enqueue('none', 2, { queue, unique: { key: 'k' } }),
      fresh.enqueueMany([{ kind: 'none', queue }]).then(([made]) => made),
      fresh.listJobs({ limit: 1 }).then(() => ({ result: 'new' })),
    ]);
    expect(results.map((made) => made?.result)).toEqual(['new', 'new', 'new', 'new']);
  });
});
