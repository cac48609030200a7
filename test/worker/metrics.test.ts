/** What a worker counts. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { DelayMetrics, JobContext } from '../../packages/core/src/index.ts';
import { gate, openSite, type Site, until, versions } from './site.ts';

describe.each(versions)('the metrics of a worker, on PostgreSQL %i', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterEach(() => site.rest());
  afterAll(() => site.close());

  const inBuckets = (delay: DelayMetrics | undefined): number =>
    delay?.buckets.reduce((sum, bucket) => sum + bucket.count, 0) ?? 0;

  test('count jobs by how they ended, by queue and by kind', async () => {
    const [one, two] = [await site.queue(), await site.queue()];
    const backoff = { type: 'fixed', delayMs: 1, jitter: 0 } as const;
    const worker = await site.work([one, two], {
      handlers: {
        fine: () => 'fine',
        twice: (_payload: unknown, job: JobContext) => {
          if (job.attempt === 1) throw new Error('not yet');
        },
        never: () => Promise.reject(new Error('never')),
        snoozes: (_payload: unknown, job: JobContext) => {
          if (worker.metrics().snoozed === 0) job.snooze(1);
        },
        cancels: (_payload: unknown, job: JobContext) => job.cancel('enough'),
      },
    });
    const jobs = await site.lineshaft.enqueueMany([
      { kind: 'fine', queue: one },
      { kind: 'fine', queue: one },
      { kind: 'fine', queue: two },
      { kind: 'twice', queue: one, backoff },
      { kind: 'never', queue: one, maxAttempts: 1 },
      { kind: 'snoozes', queue: two },
      { kind: 'cancels', queue: two },
    ]);
    await site.lineshaft.waitFor(
      jobs.map(({ id }) => id),
      { timeoutMs: 10_000 },
    );
    await until('all is counted', () => worker.metrics().succeeded === 5);
    const metrics = worker.metrics();
    expect(metrics).toMatchObject({
      workerId: worker.id,
      slots: 100,
      running: 0,
      held: 0,
      unwritten: 0,
      claimed: 9,
      started: 9,
      succeeded: 5,
      failed: 1,
      retried: 1,
      snoozed: 1,
      cancelled: 1,
      returned: 0,
      blocked: 0,
      late: 0,
      rescued: 0,
    });
    expect(metrics.claims).toBeGreaterThan(0);
    expect(metrics.claimedPerClaim).toBeCloseTo(9 / metrics.claims);
    const first = metrics.queues.find(({ queue }) => queue === `1-${one}`);
    expect(first).toMatchObject({ succeeded: 3, failed: 1, cancelled: 0 });
    expect(first?.kinds.find(({ kind }) => kind === 'fine')).toMatchObject({ claimed: 2, succeeded: 2 });
    for (const delay of [metrics.schedulingDelay, first?.schedulingDelay]) {
      expect(inBuckets(delay)).toBe(delay?.count);
    }
    expect(metrics.schedulingDelay.count).toBe(9);
  });

  test('tell how long jobs waited beyond their time, which for a scheduled job begins when it is due', async () => {
    const queue = await site.queue();
    const before = await site.lineshaft.enqueue('job', null, { queue });
    const later = await site.lineshaft.enqueue('job', null, { queue, delayMs: 600 });
    await until('the first has waited for a second', async () => {
      const [row] = await site.rows<{ waited: boolean }>(
        `select clock_timestamp() - created_at > interval '1 second' as waited from lineshaft.job where id = $1`,
        [before.id],
      );
      return row?.waited;
    });
    const worker = await site.work(queue, { handlers: { job: () => 1 } });
    await site.lineshaft.waitFor([before.id, later.id], { timeoutMs: 10_000 });
    const { count, maxMs, sumMs } = worker.metrics().schedulingDelay;
    expect(count).toBe(2);
    expect(maxMs).toBeGreaterThanOrEqual(950);
    // The second waited 600 ms less.
    expect(2 * maxMs - sumMs).toBeGreaterThanOrEqual(300);
  });

  test('tell what runs now', async () => {
    const queue = await site.queue({ concurrency: 2 });
    const hold = gate();
    const worker = await site.work(queue, { slots: 5, handlers: { job: () => hold.opened } });
    const jobs = await site.lineshaft.enqueueMany([
      { kind: 'job', queue },
      { kind: 'job', queue },
    ]);
    await until('both run', () => worker.metrics().running === 2);
    expect(worker.metrics()).toMatchObject({ slots: 5, running: 2, held: 2, succeeded: 0 });
    hold.open();
    await site.lineshaft.waitFor(jobs.map(({ id }) => id));
  });
});
