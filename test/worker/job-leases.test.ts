/** Leases of single jobs: an attempt that is not heard of is taken back although its worker lives. */

import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { JobContext } from '../../packages/core/src/index.ts';
import { eventOf, gate, openSite, type Site, until, versions } from './site.ts';

const module = new URL('../fixtures/heartbeats.ts', import.meta.url);

describe.each(versions)('the lease of a single job, on PostgreSQL %i', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterEach(() => site.rest());
  afterAll(() => site.close());

  const leases = (): Promise<{ job_id: string }[]> => site.rows('select job_id from lineshaft.job_lease');

  describe.each(['async', 'thread', 'process'] as const)('in the executor %s', (executor) => {
    test('goes on while the handler is heard of, for longer than it lasts', async () => {
      const queue = await site.queue();
      await site.work(queue, { handlers: { job: { module } }, executor });
      const payload = { beatMs: 200, forMs: 4_600, marker: '' };
      const { id } = await site.lineshaft.enqueue('job', payload, { queue, limits: { leaseMs: 2_000 } });
      const [job] = await site.lineshaft.waitFor([id], { timeoutMs: 20_000 });
      expect(job?.output).toBe('heard of');
      expect((await site.lineshaft.showJob(id)).rescued).toBe(0);
      expect(await leases()).toEqual([]);
    });

    test('lapses when it is not, and the job runs again', async () => {
      const queue = await site.queue();
      const worker = await site.work(queue, { handlers: { job: { module } }, executor, maxRescues: 50 });
      const lapsed = eventOf(worker, 'lapsed');
      const marker = join(tmpdir(), `lineshaft-${randomUUID()}`);
      const payload = { beatMs: 100, forMs: 100, marker };
      const { id } = await site.lineshaft.enqueue('job', payload, { queue, limits: { leaseMs: 1_000 } });
      expect(await lapsed).toEqual({ jobId: id, workerId: worker.id, final: false });
      const [job] = await site.lineshaft.waitFor([id], { timeoutMs: 20_000 });
      expect(job).toMatchObject({ state: 'succeeded', output: 'heard of' });
      await until('it is counted', () => worker.metrics().succeeded === 1);
      // A new thread or process may take its time to start, too.
      expect(worker.metrics().rescued).toBeGreaterThanOrEqual(1);
      await until('its row is gone', async () => (await leases()).length === 0);
    });
  });

  test('tells the handler, whose late result changes nothing; the neighbours of its batch are left alone', async () => {
    const queue = await site.queue({ concurrency: 2 });
    const told = gate();
    const hold = gate();
    let runs = 0;
    const worker = await site.work(queue, {
      handlers: {
        silent: async (_payload: unknown, job: JobContext) => {
          runs += 1;
          if (runs > 1) return 'second';
          await new Promise((resolve) => job.signal.addEventListener('abort', resolve));
          expect(job.signal.reason).toMatchObject({ code: 'LEASE_LOST' });
          told.open();
          return 'first';
        },
        neighbour: async () => {
          await hold.opened;
          return 'neighbour';
        },
      },
    });
    const late = eventOf(worker, 'late');
    const [silent, neighbour] = await site.lineshaft.enqueueMany([
      { kind: 'silent', queue, limits: { leaseMs: 1_000 } },
      { kind: 'neighbour', queue },
    ]);
    await told.opened;
    expect(await late).toEqual({ ids: [silent?.id] });
    hold.open();
    const jobs = await site.lineshaft.waitFor([silent?.id ?? '', neighbour?.id ?? ''], { timeoutMs: 20_000 });
    expect(jobs.map((job) => job.output)).toEqual(['second', 'neighbour']);
    expect((await site.lineshaft.showJob(neighbour?.id ?? '')).rescued).toBe(0);
  });

  test('that lapses too often makes a dead letter', async () => {
    const queue = await site.queue();
    const worker = await site.work(queue, {
      maxRescues: 2,
      handlers: {
        job: (_payload: unknown, job: JobContext) =>
          new Promise((resolve) => job.signal.addEventListener('abort', resolve)),
      },
    });
    const { id } = await site.lineshaft.enqueue('job', null, { queue, limits: { leaseMs: 1_000 } });
    const [job] = await site.lineshaft.waitFor([id], { timeoutMs: 20_000 });
    expect(job?.state).toBe('failed');
    const { errors } = await site.lineshaft.showJob(id);
    expect(errors.at(-1)).toMatchObject({
      code: 'WORKER_POISONED',
      message: expect.stringContaining(`worker ${worker.id} did not hear of this attempt for 1000 ms`),
    });
    await until('both are counted', () => worker.metrics().buried === 1);
    expect(worker.metrics().rescued).toBe(1);
  });

  test('can be asked for by queues and in SQL, and is refused out of its range', async () => {
    const queue = await site.queue({ limits: { leaseMs: 1_000 } });
    const started = gate();
    const end = gate();
    await site.work(queue, {
      handlers: {
        job: async () => {
          started.open();
          await end.opened;
        },
      },
    });
    const [made] = await site.rows<{ id: string }>(
      `select id from lineshaft.enqueue('job', 'null', jsonb_build_object('queue', $1::text))`,
      [queue],
    );
    await started.opened;
    expect(await leases()).toEqual([{ job_id: made?.id }]);
    end.open();
    await site.lineshaft.waitFor([made?.id ?? ''], { timeoutMs: 20_000 });
    await expect(site.lineshaft.enqueue('job', null, { limits: { leaseMs: 999 } })).rejects.toThrow(
      'limits.leaseMs must be a whole number from 1000 to 604800000, not 999',
    );
    await expect(
      site.rows(`select lineshaft.enqueue('job', 'null', '{"limits": {"leaseMs": 999}}')`),
    ).rejects.toThrow(/limits\.leaseMs must be/);
  });
});
