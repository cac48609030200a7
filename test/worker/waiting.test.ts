import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JobContext } from '../../packages/core/src/index.ts';
import { gate, openSite, type Site, until, versions } from './site.ts';

const hour = 3_600_000;

describe.each(versions)('waiting for jobs and looking at them, on PostgreSQL %i', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterAll(() => site.close());

  test('waitFor answers in the order of the ids, whichever finished first', async () => {
    const queue = await site.queue({ maxAttempts: 1 });
    const hold = gate();
    await site.work(queue, {
      handlers: {
        slow: () => hold.opened.then(() => 'slow'),
        quick: () => {
          hold.open();
          return 'quick';
        },
        fail: () => {
          throw new Error('failed');
        },
        stop: (_payload: unknown, job: JobContext) => job.cancel(),
      },
    });
    const kinds = ['slow', 'fail', 'stop', 'quick'];
    const ids: string[] = [];
    for (const kind of kinds) ids.push((await site.lineshaft.enqueue(kind, null, { queue })).id);
    const finished = await site.lineshaft.waitFor([...ids, ...ids], { timeoutMs: 10_000 });
    expect(finished.map((job) => job.id)).toEqual([...ids, ...ids]);
    expect(finished.slice(0, 4).map((job) => [job.state, job.output ?? job.error?.message])).toEqual([
      ['succeeded', 'slow'],
      ['failed', 'failed'],
      ['cancelled', undefined],
      ['succeeded', 'quick'],
    ]);
  });

  test('waitFor for jobs that had finished before it was called answers at once', async () => {
    const queue = await site.queue();
    await site.work(queue, { handlers: { one: (n: number) => n } });
    const requests = Array.from({ length: 1_500 }, (_, n) => ({ kind: 'one', queue, payload: n }));
    const ids = (await site.lineshaft.enqueueMany(requests)).map((result) => result.id);
    await site.lineshaft.waitFor(ids, { timeoutMs: 20_000 });
    const again = await site.other().waitFor(ids, { timeoutMs: 10_000 });
    expect(again.map((job) => job.output)).toEqual(requests.map((request) => request.payload));
  });

  test('waitFor hears of jobs that another process runs', async () => {
    const queue = await site.queue();
    const hold = gate();
    await site.work(queue, { handlers: { one: () => hold.opened } });
    const elsewhere = site.other();
    const { id } = await elsewhere.enqueue('one', null, { queue });
    const waiting = elsewhere.waitFor([id], { timeoutMs: 10_000 });
    await until(
      'it is registered',
      async () => (await site.rows('select 1 from lineshaft.waiter')).length > 0,
    );
    hold.open();
    expect(await waiting).toMatchObject([{ state: 'succeeded' }]);
  });

  test('waitFor gives up after its time, and says for how many jobs and which', async () => {
    const queue = await site.queue();
    const { id } = await site.lineshaft.enqueue('nobody', null, { queue });
    const waiting = site.lineshaft.waitFor([id], { timeoutMs: 30 });
    await expect(waiting).rejects.toMatchObject({
      code: 'WAIT_TIMEOUT',
      details: { pending: [id], count: 1 },
    });
  });

  test('waitFor can be given up by a signal', async () => {
    const queue = await site.queue();
    const { id } = await site.lineshaft.enqueue('nobody', null, { queue });
    const controller = new AbortController();
    const waiting = site.lineshaft.waitFor([id], { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await expect(
      site.lineshaft.waitFor([id], { signal: AbortSignal.abort(new Error('early')) }),
    ).rejects.toThrow('early');
  });

  test('waitFor does not wait for ever for jobs that never were or that were forgotten', async () => {
    const never = '01890a5d-ac96-774b-bcce-b302099a8057';
    expect(await site.lineshaft.waitFor([never], { timeoutMs: 10_000 })).toEqual([
      { id: never, state: 'forgotten', output: undefined, error: undefined },
    ]);
    expect(await site.lineshaft.waitFor([])).toEqual([]);
  });

  test('waitFor understands ids in upper case', async () => {
    const id = '01890A5D-AC96-774B-BCCE-B302099A8057';
    expect(await site.lineshaft.waitFor([id], { timeoutMs: 5_000 })).toMatchObject([
      { id, state: 'forgotten' },
    ]);
  });

  test('an id that is none is refused, and nobody else waits in vain because of it', async () => {
    const queue = await site.queue();
    const { id } = await site.lineshaft.enqueue('one', null, { queue });
    const waiting = site.lineshaft.waitFor([id], { timeoutMs: 10_000 });
    await expect(site.lineshaft.waitFor(['no id'], { timeoutMs: 5_000 })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    });
    await site.work(queue, { handlers: { one: () => 1 } });
    expect(await waiting).toMatchObject([{ state: 'succeeded' }]);
  });

  test.each([-1, 1.5, Number.NaN, '5'])('a time-out of %s is refused', async (timeoutMs) => {
    const waiting = site.lineshaft.waitFor(['01890a5d-ac96-774b-bcce-b302099a8057'], {
      timeoutMs: timeoutMs as number,
    });
    await expect(waiting).rejects.toMatchObject({ code: 'OPTION_INVALID', details: { field: 'timeoutMs' } });
  });

  test('closing ends what still waits', async () => {
    const queue = await site.queue();
    const elsewhere = site.other();
    const { id } = await elsewhere.enqueue('nobody', null, { queue });
    const waiting = elsewhere.waitFor([id]);
    const refused = expect(waiting).rejects.toMatchObject({ code: 'CLOSED' });
    await until('it waits', async () => (await site.rows('select 1 from lineshaft.waiter')).length > 0);
    await elsewhere.close();
    await refused;
    await expect(elsewhere.waitFor([id])).rejects.toMatchObject({ code: 'CLOSED' });
  });

  test('a job is shown in each state that it can be in, and found in the list of that state', async () => {
    const queue = await site.queue({ maxAttempts: 2, backoff: { type: 'fixed', delayMs: hour, jitter: 0 } });
    const hold = gate();
    const started = gate();
    const handlers = {
      good: () => 'ok',
      fail: () => {
        throw Object.assign(new Error('bad'), { retryable: false });
      },
      again: () => {
        throw new Error('once more');
      },
      long: (_payload: unknown, job: JobContext) => {
        job.progress(3, 7);
        started.open();
        return hold.opened;
      },
    };
    const put = async (kind: string, more: object = {}): Promise<string> =>
      (await site.lineshaft.enqueue(kind, { kind }, { queue, ...more })).id;
    const worker = await site.work(queue, { handlers, heartbeatMs: 100, leaseMs: 3_000 });
    const ids = {
      succeeded: await put('good'),
      failed: await put('fail'),
      retrying: await put('again'),
      running: await put('long'),
      scheduled: await put('good', { delayMs: hour }),
      ready: await put('unknown-kind'),
      cancelled: await put('unknown-kind'),
    };
    await site.lineshaft.cancel([ids.cancelled], 'no need');
    await site.lineshaft.waitFor([ids.succeeded, ids.failed, ids.cancelled], { timeoutMs: 10_000 });
    await started.opened;
    await until('it retries', async () => (await site.lineshaft.showJob(ids.retrying)).state === 'retrying');
    await until(
      'its progress is seen',
      async () => (await site.lineshaft.showJob(ids.running)).progress !== undefined,
    );
    for (const [state, id] of Object.entries(ids)) {
      const view = await site.lineshaft.showJob(id);
      expect(view.state).toBe(state);
      const listed = await site.lineshaft.listJobs({ queue, state: view.state });
      expect(listed.map((job) => job.id)).toEqual([id]);
      expect(listed).toMatchObject([{ queue, project: 'default', kind: view.kind, state }]);
    }
    expect(await site.lineshaft.showJob(ids.running)).toMatchObject({
      progress: { current: 3, total: 7 },
      worker: worker.id,
      attempt: 0,
    });
    expect(await site.lineshaft.showJob(ids.failed)).toMatchObject({
      errors: [{ message: 'bad' }],
      finishedAt: expect.any(Date),
    });
    expect((await site.lineshaft.listJobs({ queue })).map((job) => job.state).sort()).toEqual(
      Object.keys(ids).sort(),
    );
    expect(await site.lineshaft.listJobs({ queue, kind: 'good' })).toHaveLength(2);
    expect(await site.lineshaft.listJobs({ queue, limit: 2 })).toHaveLength(2);
    const { lanes } = await site.lineshaft.showQueue(queue);
    expect(lanes.find((lane) => lane.kind === 'long')).toMatchObject({ running: 1, ready: 0 });
    expect(lanes.find((lane) => lane.kind === 'good')).toMatchObject({ later: 1, running: 0 });
    expect(lanes.find((lane) => lane.kind === 'fail')).toMatchObject({ failed: 1 });
    hold.open();
    await site.lineshaft.waitFor([ids.running], { timeoutMs: 10_000 });
    expect((await site.lineshaft.showJob(ids.running)).progress).toBeUndefined();
  });

  test('jobs are deleted without a trace, but not while they run', async () => {
    const queue = await site.queue({ maxAttempts: 1 });
    const hold = gate();
    const started = gate();
    await site.work(queue, {
      handlers: {
        good: () => 1,
        fail: () => {
          throw new Error('bad');
        },
        long: () => {
          started.open();
          return hold.opened;
        },
      },
    });
    const put = async (kind: string, more: object = {}): Promise<string> =>
      (await site.lineshaft.enqueue(kind, null, { queue, ...more })).id;
    const together = (await site.lineshaft.enqueueMany([1, 2, 3].map(() => ({ kind: 'good', queue })))).map(
      (made) => made.id,
    );
    const ids = [
      await put('good'),
      await put('fail'),
      await put('long'),
      await put('good', { delayMs: hour }),
      await put('unknown-kind'),
    ];
    await site.lineshaft.waitFor([...together, ...ids.slice(0, 2)], { timeoutMs: 10_000 });
    await started.opened;
    const never = '01890a5d-ac96-774b-bcce-b302099a8057';
    const results = await site.lineshaft.deleteJobs([...ids, together[1] ?? '', never]);
    expect(results.map((change) => change.result)).toEqual([
      'deleted',
      'deleted',
      'running',
      'deleted',
      'deleted',
      'deleted',
      'unknown',
    ]);
    for (const id of [ids[0], ids[1], ids[3], ids[4], together[1]]) {
      await expect(site.lineshaft.showJob(id ?? '')).rejects.toMatchObject({ code: 'JOB_NOT_FOUND' });
    }
    hold.open();
    const left = [together[0] ?? '', together[2] ?? '', ids[2] ?? ''];
    const finished = await site.lineshaft.waitFor(left, { timeoutMs: 10_000 });
    expect(finished.map((job) => job.state)).toEqual(['succeeded', 'succeeded', 'succeeded']);
  });

  test('a retry lets scheduled and retrying jobs go at once, and leaves others alone', async () => {
    const queue = await site.queue({ backoff: { type: 'fixed', delayMs: hour, jitter: 0 } });
    const hold = gate();
    const started = gate();
    await site.work(queue, {
      handlers: {
        good: () => 'ok',
        once: (_payload: unknown, job: JobContext) => {
          if (job.attempt === 1) throw new Error('once');
        },
        long: () => {
          started.open();
          return hold.opened;
        },
      },
    });
    const put = async (kind: string, more: object = {}): Promise<string> =>
      (await site.lineshaft.enqueue(kind, null, { queue, ...more })).id;
    const scheduled = await put('good', { delayMs: hour });
    const retrying = await put('once');
    const running = await put('long');
    const finished = await put('good');
    await started.opened;
    await site.lineshaft.waitFor([finished], { timeoutMs: 10_000 });
    await until('it retries', async () => (await site.lineshaft.showJob(retrying)).state === 'retrying');
    const never = '01890a5d-ac96-774b-bcce-b302099a8057';
    const results = await site.lineshaft.retry([scheduled, retrying, running, finished, never]);
    expect(results.map((change) => change.result)).toEqual([
      'retried',
      'retried',
      'running',
      'finished',
      'unknown',
    ]);
    await site.lineshaft.waitFor([scheduled, retrying], { timeoutMs: 10_000 });
    expect((await site.lineshaft.showJob(retrying)).attempt).toBe(2);
    hold.open();
    expect(await site.lineshaft.waitFor([running], { timeoutMs: 10_000 })).toMatchObject([
      { state: 'succeeded' },
    ]);
  });
});
