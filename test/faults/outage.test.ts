import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createDatabase, startServer, type TestServer } from '../../packages/core/src/testing/server.ts';
import { eventOf, gate, LogLines, openSiteAt, type Site, until } from '../worker/site.ts';

const lease = { leaseMs: 1_000, graceMs: 100 } as const;

describe('a database that goes away', () => {
  let server: TestServer;
  let site: Site;
  beforeAll(async () => {
    server = await startServer(15);
    site = await openSiteAt(await createDatabase(server));
  });
  afterEach(async () => {
    await server.start();
    await site.rest();
  });
  afterAll(async () => {
    await site.close();
    await server.stop();
  });

  /** Kills the server, and resolves when the leases that were held then have run out. */
  async function killForLongerThanALease(): Promise<void> {
    await server.kill();
    const backMs = performance.now() + 2 * lease.leaseMs;
    await until('a lease has run out', () => performance.now() > backMs);
  }

  test('an outage longer than a lease loses nothing, runs nothing twice, and logs two lines', async () => {
    const queue = await site.queue({ concurrency: 5 });
    const runs = new Map<number, number>();
    const hold = gate();
    const logs = [new LogLines(), new LogLines()];
    const handlers = {
      hold: async (n: number) => {
        runs.set(n, (runs.get(n) ?? 0) + 1);
        await hold.opened;
        return n;
      },
    };
    const clients = logs.map((log) => site.other({ log }));
    const workers = clients.map((client) =>
      client.worker({ queues: [queue], signals: false, ...lease, handlers }),
    );
    const late: unknown[] = [];
    for (const worker of workers) {
      worker.on('late', (facts) => late.push(facts));
      worker.on('rescued', (facts) => late.push(facts));
      await worker.start();
    }
    const requests = Array.from({ length: 30 }, (_, n) => ({ kind: 'hold', queue, payload: n }));
    const ids = (await site.lineshaft.enqueueMany(requests)).map((made) => made.id);
    await until('ten run', () => runs.size === 10);
    const waiting = site.lineshaft.waitFor(ids, { timeoutMs: 25_000 });
    await killForLongerThanALease();
    hold.open();
    await expect(clients[0]?.enqueue('hold', 99, { queue })).rejects.toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
    });
    await server.start();
    const finished = await waiting;
    expect(finished.map((job) => job.output)).toEqual(requests.map((request) => request.payload));
    expect([...runs.values()]).toEqual(requests.map(() => 1));
    expect(late).toEqual([]);
    for (const log of logs) await until('it is told', () => log.count(/^the database is back/) > 0);
    await Promise.all(workers.map((worker) => worker.stop()));
    for (const log of logs) {
      expect(log.lines.map((line) => line.replace(/ \(.*\)/, ''))).toEqual([
        'worker started',
        'the database is not available; the worker goes on by itself when it is back',
        'the database is back',
        'worker stops',
        'worker stopped',
      ]);
    }
  });

  test('a worker that stops while the database is away gives up, and its jobs run again', async () => {
    const queue = await site.queue();
    const hold = gate();
    const started = gate();
    const worker = await site.work(queue, {
      ...lease,
      shutdownTimeoutMs: 100,
      handlers: {
        hold: async () => {
          started.open();
          await hold.opened;
          return 'first';
        },
      },
    });
    const { id } = await site.lineshaft.enqueue('hold', null, { queue });
    await started.opened;
    await server.kill();
    hold.open();
    await worker.stop();
    await server.start();
    await site.work(queue, { ...lease, handlers: { hold: () => 'second' } });
    expect(await site.lineshaft.waitFor([id], { timeoutMs: 15_000 })).toMatchObject([{ output: 'second' }]);
  });

  test('settings that change when nobody can hear it are taken in afterwards', async () => {
    const queue = await site.queue({ concurrency: 1, pollingIntervalMs: 60_000 });
    const hold = gate();
    let running = 0;
    const worker = await site.work(queue, {
      ...lease,
      handlers: {
        hold: async () => {
          running += 1;
          await hold.opened;
        },
      },
    });
    await site.lineshaft.enqueueMany([1, 2, 3].map(() => ({ kind: 'hold', queue })));
    await until('one runs', () => running === 1);
    const seen = eventOf(worker, 'settings');
    await server.restart({ max_connections: '90' });
    const other = site.other();
    await until('it is declared', () =>
      other.declare({ name: queue, concurrency: 3 }).catch(() => undefined),
    );
    await seen;
    await until('all run', () => running === 3);
    hold.open();
  });

  test('connections that are cut again and again lose nothing and run nothing twice', async () => {
    const queue = await site.queue();
    const runs = new Map<number, number>();
    const handlers = { one: (n: number) => void runs.set(n, (runs.get(n) ?? 0) + 1) };
    const worker = await site.work(queue, { leaseMs: 3_000, heartbeatMs: 100, handlers });
    const late: unknown[] = [];
    worker.on('rescued', (facts) => late.push(facts));
    const other = site.other({ applicationName: 'not cut' });
    const ids: string[] = [];
    for (let round = 0; round < 8; round += 1) {
      const requests = Array.from({ length: 300 }, (_, n) => ({
        kind: 'one',
        queue,
        payload: round * 300 + n,
      }));
      ids.push(...(await other.enqueueMany(requests)).map((made) => made.id));
      await site.rows(
        `select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'lineshaft' and pid <> pg_backend_pid()`,
      );
    }
    await other.waitFor(ids, { timeoutMs: 20_000 });
    expect(runs.size).toBe(2_400);
    expect([...runs.values()].filter((count) => count !== 1)).toEqual([]);
    expect(late).toEqual([]);
  });
});
