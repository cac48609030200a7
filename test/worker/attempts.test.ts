import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JobContext } from '../../packages/core/src/index.ts';
import { eventOf, freshName, gate, openSite, type Site, until, versions } from './site.ts';

const now = { type: 'fixed', delayMs: 0, jitter: 0 } as const;

describe.each(versions)('an attempt, on PostgreSQL %i', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterAll(() => site.close());

  test('a job that is enqueued runs and finishes, and its output is kept', async () => {
    const queue = await site.queue();
    await site.work(queue, {
      handlers: { greet: ({ name }: { name: string }) => ({ text: `Hello ${name}` }) },
    });
    const { id, result } = await site.lineshaft.enqueue('greet', { name: 'Ada' }, { queue });
    expect(result).toBe('new');
    const [job] = await site.lineshaft.waitFor([id], { timeoutMs: 10_000 });
    expect(job).toEqual({ id, state: 'succeeded', output: { text: 'Hello Ada' }, error: undefined });
    const view = await site.lineshaft.showJob(id);
    expect(view).toMatchObject({
      state: 'succeeded',
      kind: 'greet',
      queue,
      attempt: 1,
      payload: { name: 'Ada' },
    });
    expect(await site.rows('select id from lineshaft.job where id = $1', [id])).toEqual([]);
  });

  test('a handler sees its id, kind, queue, attempt, labels and meta', async () => {
    const queue = await site.queue({ maxAttempts: 7 });
    const seen: unknown[] = [];
    await site.work(queue, {
      handlers: {
        look: (_payload: unknown, job: JobContext) => {
          seen.push([
            job.id,
            job.kind,
            job.queue,
            job.attempt,
            job.maxAttempts,
            job.labels,
            job.meta,
            job.deadline,
          ]);
        },
      },
    });
    const options = { queue, labels: { customer: 'x' }, meta: { trace: [1] } };
    const { id } = await site.lineshaft.enqueue('look', undefined, options);
    await site.lineshaft.waitFor([id], { timeoutMs: 10_000 });
    expect(seen).toEqual([[id, 'look', queue, 1, 7, { customer: 'x' }, { trace: [1] }, undefined]]);
  });

  test('a failed attempt is tried again with its back-off, and each error is kept', async () => {
    const queue = await site.queue();
    let runs = 0;
    await site.work(queue, {
      handlers: {
        flaky: (_payload: unknown, job: JobContext) => {
          runs += 1;
          if (job.attempt < 3) throw Object.assign(new Error(`no ${job.attempt}`), { code: 'E_FLAKY' });
          return 'at last';
        },
      },
    });
    const { id } = await site.lineshaft.enqueue('flaky', null, { queue, backoff: now });
    const [job] = await site.lineshaft.waitFor([id], { timeoutMs: 10_000 });
    expect(job).toMatchObject({ state: 'succeeded', output: 'at last' });
    expect(runs).toBe(3);
    const view = await site.lineshaft.showJob(id);
    expect(view.attempt).toBe(3);
    expect(view.errors.map((error) => [error.attempt, error.message, error.code])).toEqual([
      [1, 'no 1', 'E_FLAKY'],
      [2, 'no 2', 'E_FLAKY'],
    ]);
    expect(view.errors[0]?.stack).toContain('attempts.test.ts');
  });

  test('between two attempts a job is retrying, and due when its back-off says', async () => {
    const queue = await site.queue();
    const worker = await site.work(queue, {
      handlers: {
        fail: () => {
          throw new Error('not yet');
        },
      },
    });
    const failed = eventOf(worker, 'failed');
    const backoff = { type: 'fixed', delayMs: 3_600_000, jitter: 0 } as const;
    const { id } = await site.lineshaft.enqueue('fail', null, { queue, backoff });
    expect(await failed).toMatchObject({ id, attempt: 1, message: 'not yet', retryInMs: 3_600_000 });
    const view = await until('it waits', async () => {
      const found = await site.lineshaft.showJob(id);
      return found.state === 'retrying' && found;
    });
    expect(view.attempt).toBe(1);
    const [row] = await site.rows<{ ms: number }>(
      'select extract(epoch from due - clock_timestamp()) * 1000 as ms from lineshaft.job where id = $1',
      [id],
    );
    expect(Number(row?.ms)).toBeGreaterThan(3_500_000);
    expect(Number(row?.ms)).toBeLessThanOrEqual(3_600_000);
  });

  test('the errors that are kept are bounded: the first and the latest', async () => {
    const queue = await site.queue({ maxAttempts: 14, backoff: now });
    await site.work(queue, {
      handlers: {
        fail: (_payload: unknown, job: JobContext) => {
          throw new Error(`attempt ${job.attempt}`);
        },
      },
    });
    const { id } = await site.lineshaft.enqueue('fail', null, { queue });
    const [job] = await site.lineshaft.waitFor([id], { timeoutMs: 15_000 });
    expect(job).toMatchObject({ state: 'failed', error: { message: 'attempt 14' } });
    const { errors } = await site.lineshaft.showJob(id);
    expect(errors.map((error) => error.attempt)).toEqual([1, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
  });

  test('after its last attempt a job is a dead letter, and a retry gives it new attempts', async () => {
    const queue = await site.queue({ maxAttempts: 2, backoff: now });
    let broken = true;
    await site.work(queue, {
      handlers: {
        mend: () => {
          if (broken) throw new Error('broken');
          return 'mended';
        },
      },
    });
    const { id } = await site.lineshaft.enqueue('mend', { n: 1 }, { queue });
    const [dead] = await site.lineshaft.waitFor([id], { timeoutMs: 10_000 });
    expect(dead).toMatchObject({ state: 'failed', error: { message: 'broken', attempt: 2 } });
    expect(await site.lineshaft.showJob(id)).toMatchObject({
      state: 'failed',
      reason: 'attempts',
      attempt: 2,
    });
    broken = false;
    expect(await site.lineshaft.retry([id])).toEqual([{ id, result: 'retried' }]);
    const [job] = await site.lineshaft.waitFor([id], { timeoutMs: 10_000 });
    expect(job).toMatchObject({ state: 'succeeded', output: 'mended' });
    expect(await site.lineshaft.showJob(id)).toMatchObject({ attempt: 1 });
  });

  test('an error that says retryable: false makes a dead letter at once', async () => {
    const queue = await site.queue({ maxAttempts: 5, backoff: now });
    await site.work(queue, {
      handlers: {
        refuse: () => {
          throw Object.assign(new Error('bad address'), { retryable: false });
        },
      },
    });
    const { id } = await site.lineshaft.enqueue('refuse', null, { queue });
    await site.lineshaft.waitFor([id], { timeoutMs: 10_000 });
    expect(await site.lineshaft.showJob(id)).toMatchObject({
      state: 'failed',
      reason: 'not-retryable',
      attempt: 1,
    });
  });

  test('a snoozed job comes back, and the attempt is not counted', async () => {
    const queue = await site.queue({ maxAttempts: 1 });
    const attempts: number[] = [];
    await site.work(queue, {
      handlers: {
        nap: (_payload: unknown, job: JobContext) => {
          attempts.push(job.attempt);
          if (attempts.length < 3) job.snooze(5);
          return attempts.length;
        },
      },
    });
    const { id } = await site.lineshaft.enqueue('nap', null, { queue });
    const [job] = await site.lineshaft.waitFor([id], { timeoutMs: 10_000 });
    expect(job).toMatchObject({ state: 'succeeded', output: 3 });
    expect(attempts).toEqual([1, 1, 1]);
  });

  test('a snoozed job is scheduled until its time', async () => {
    const queue = await site.queue();
    const worker = await site.work(queue, {
      handlers: { nap: (_payload: unknown, job: JobContext) => job.snooze(3_600_000) },
    });
    const finished = eventOf(worker, 'finished');
    const { id } = await site.lineshaft.enqueue('nap', null, { queue });
    expect(await finished).toMatchObject({ jobs: [{ id, ending: 'later' }] });
    expect(await site.lineshaft.showJob(id)).toMatchObject({ state: 'scheduled', attempt: 0, errors: [] });
  });

  test('a job that waits and is cancelled never runs', async () => {
    const queue = await site.queue();
    const { id } = await site.lineshaft.enqueue('never', null, { queue });
    const later = await site.lineshaft.enqueue('never', null, { queue, delayMs: 60_000 });
    expect(await site.lineshaft.cancel([id, later.id], 'not wanted')).toEqual([
      { id, result: 'cancelled' },
      { id: later.id, result: 'cancelled' },
    ]);
    const finished = await site.lineshaft.waitFor([id, later.id], { timeoutMs: 10_000 });
    expect(finished.map((job) => job.state)).toEqual(['cancelled', 'cancelled']);
    expect(await site.lineshaft.showJob(id)).toMatchObject({
      state: 'cancelled',
      reason: 'not wanted',
      attempt: 0,
    });
    const worker = site.lineshaft.worker({
      queues: [queue],
      once: true,
      signals: false,
      handlers: { never: () => 1 },
    });
    const drained = eventOf(worker, 'drained');
    await worker.start();
    await drained;
    await worker.stopped();
    expect(await site.lineshaft.showJob(id)).toMatchObject({ state: 'cancelled', attempt: 0 });
  });

  test('a running job that is cancelled sees its signal; its late result is dropped', async () => {
    const queue = await site.queue();
    const started = gate();
    const reasons: unknown[] = [];
    const worker = await site.work(queue, {
      handlers: {
        long: async (_payload: unknown, job: JobContext) => {
          const aborted = new Promise((resolve) => job.signal.addEventListener('abort', resolve));
          started.open();
          await aborted;
          reasons.push((job.signal.reason as { code: string }).code);
          return 'finished nevertheless';
        },
      },
    });
    const late = eventOf(worker, 'late');
    const { id } = await site.lineshaft.enqueue('long', null, { queue });
    await started.opened;
    expect(await site.lineshaft.cancel([id], 'changed my mind')).toEqual([{ id, result: 'running' }]);
    expect(await site.lineshaft.waitFor([id], { timeoutMs: 10_000 })).toMatchObject([
      { state: 'cancelled', output: undefined },
    ]);
    expect(await late).toEqual({ ids: [id] });
    expect(reasons).toEqual(['ATTEMPT_CANCELLED']);
    expect(await site.lineshaft.showJob(id)).toMatchObject({ state: 'cancelled', reason: 'changed my mind' });
    await until('its lease is gone', async () => {
      const leases = await site.rows('select id from lineshaft.lease where $1 = any (job_ids)', [id]);
      return leases.length === 0;
    });
  });

  test('a handler may cancel its own job', async () => {
    const queue = await site.queue();
    await site.work(queue, {
      handlers: {
        stop: (_payload: unknown, job: JobContext) => job.cancel('order withdrawn'),
      },
    });
    const { id } = await site.lineshaft.enqueue('stop', null, { queue });
    expect(await site.lineshaft.waitFor([id], { timeoutMs: 10_000 })).toMatchObject([{ state: 'cancelled' }]);
    expect(await site.lineshaft.showJob(id)).toMatchObject({ reason: 'order withdrawn', attempt: 1 });
  });

  test('jobs that a handler enqueues are there when it has finished', async () => {
    const queue = await site.queue();
    const ran: unknown[] = [];
    await site.work(queue, {
      handlers: {
        parent: (_payload: unknown, job: JobContext) => {
          job.enqueue('child', { n: 1 }, { queue });
          job.enqueue('child', { n: 2 }, { queue });
        },
        child: (payload: unknown) => ran.push(payload),
      },
    });
    const { id } = await site.lineshaft.enqueue('parent', null, { queue });
    await site.lineshaft.waitFor([id], { timeoutMs: 10_000 });
    await until('both ran', () => ran.length === 2);
    expect(ran).toEqual([{ n: 1 }, { n: 2 }]);
  });

  test('a job whose children cannot be enqueued fails with the reason, and none is there', async () => {
    const queue = await site.queue();
    const child = freshName('child');
    await site.work(queue, {
      handlers: {
        parent: (_payload: unknown, job: JobContext) => {
          job.enqueue(child, null, { queue });
          job.enqueue(child, null, { queue: 'no-such-queue' });
        },
      },
    });
    const { id } = await site.lineshaft.enqueue('parent', null, { queue });
    const [job] = await site.lineshaft.waitFor([id], { timeoutMs: 10_000 });
    expect(job).toMatchObject({ state: 'failed', error: { code: 'QUEUE_NOT_FOUND' } });
    expect(
      await site.rows(
        'select l.id from lineshaft.job j join lineshaft.lane l on l.id = j.lane where l.kind = $1',
        [child],
      ),
    ).toEqual([]);
  });

  test('what a failed attempt had enqueued is not there', async () => {
    const queue = await site.queue({ maxAttempts: 1 });
    const child = freshName('child');
    await site.work(queue, {
      handlers: {
        parent: (_payload: unknown, job: JobContext) => {
          job.enqueue(child, null, { queue });
          throw new Error('after all not');
        },
      },
    });
    const { id } = await site.lineshaft.enqueue('parent', null, { queue });
    await site.lineshaft.waitFor([id], { timeoutMs: 10_000 });
    expect(await site.rows('select id from lineshaft.lane where kind = $1', [child])).toEqual([]);
  });

  test('an output that is too large fails the job for good', async () => {
    const queue = await site.queue();
    await site.work(queue, {
      outputMaxBytes: 100,
      handlers: { large: (length: number) => 'x'.repeat(length) },
    });
    const small = await site.lineshaft.enqueue('large', 98, { queue });
    const large = await site.lineshaft.enqueue('large', 99, { queue });
    const [kept, refused] = await site.lineshaft.waitFor([small.id, large.id], { timeoutMs: 10_000 });
    expect(kept).toMatchObject({ state: 'succeeded', output: 'x'.repeat(98) });
    expect(refused).toMatchObject({ state: 'failed', error: { code: 'OUTPUT_INVALID' } });
  });

  test('a job with retention 0 is forgotten when it has finished', async () => {
    const queue = await site.queue({ retention: { succeededMs: 0 } });
    await site.work(queue, { handlers: { quick: () => 'gone' } });
    const { id } = await site.lineshaft.enqueue('quick', null, { queue });
    expect(await site.lineshaft.waitFor([id], { timeoutMs: 10_000 })).toMatchObject([{ state: 'forgotten' }]);
    await expect(site.lineshaft.showJob(id)).rejects.toMatchObject({ code: 'JOB_NOT_FOUND' });
    expect(await site.rows('select 1 from lineshaft.history where $1 = any (ids)', [id])).toEqual([]);
  });
});
