import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { JobContext } from '../../packages/core/src/index.ts';
import { openSite, type Site, until, versions } from './site.ts';

describe.each(versions)('named amounts, on PostgreSQL %i', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterEach(() => site.rest());
  afterAll(() => site.close());

  /** Counts what is held at once, and the most that ever was. */
  function meter() {
    let held = 0;
    const seen = { most: 0, jobs: 0 };
    return {
      seen,
      async hold(amount: number, work: () => Promise<unknown>): Promise<void> {
        held += amount;
        seen.most = Math.max(seen.most, held);
        seen.jobs += 1;
        try {
          await work();
        } finally {
          held -= amount;
        }
      },
    };
  }

  const breathe = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 2));

  test('what runs at once on a worker never needs more than it offers, also when attempts fail', async () => {
    const queue = await site.queue({ concurrency: 50, backoff: { type: 'fixed', delayMs: 1, jitter: 0 } });
    const meters = [meter(), meter()];
    for (const { hold } of meters) {
      await site.work(queue, {
        offers: { gpu: 4, memory: '8Gi' },
        handlers: {
          small: () => hold(1, breathe),
          big: (_: unknown, { attempt }: JobContext) =>
            hold(3, async () => {
              await breathe();
              if (attempt === 1) throw new Error('once');
            }),
          plain: breathe,
        },
      });
    }
    const small = { kind: 'small', queue, needs: { gpu: 1, memory: '1Gi' } };
    const big = { kind: 'big', queue, needs: { gpu: 3 } };
    const requests = Array.from({ length: 120 }, (_, n) =>
      n % 6 === 0 ? big : n % 6 === 1 ? { kind: 'plain', queue } : small,
    );
    const ids = (await site.lineshaft.enqueueMany(requests)).map(({ id }) => id);
    const finished = await site.lineshaft.waitFor(ids, { timeoutMs: 60_000 });
    expect(new Set(finished.map(({ state }) => state))).toEqual(new Set(['succeeded']));
    for (const { seen } of meters) expect(seen.most).toBeLessThanOrEqual(4);
    expect(meters[0]?.seen.jobs).toBeGreaterThan(0);
  });

  test('short jobs are not claimed ahead of what they need', async () => {
    const queue = await site.queue({ concurrency: 20 });
    const { seen, hold } = meter();
    const worker = await site.work(queue, {
      offers: { licence: 2 },
      handlers: { tiny: () => hold(1, () => Promise.resolve()) },
    });
    const requests = Array.from({ length: 200 }, () => ({ kind: 'tiny', queue, needs: { licence: 1 } }));
    const ids = (await site.lineshaft.enqueueMany(requests)).map(({ id }) => id);
    let claimedMost = 0;
    const watch = until('all are done', async () => {
      const rows = await site.rows<{ n: string }>(
        'select coalesce(max(cardinality(job_ids)), 0) as n from lineshaft.lease',
      );
      claimedMost = Math.max(claimedMost, Number(rows[0]?.n));
      return seen.jobs === 200;
    });
    await site.lineshaft.waitFor(ids, { timeoutMs: 30_000 });
    await watch;
    expect(worker.id).not.toBe('');
    expect(claimedMost).toBeLessThanOrEqual(2);
    expect(seen.most).toBeLessThanOrEqual(2);
  });

  test('jobs under limits need amounts too, and never more than is offered', async () => {
    const queue = await site.queue({ concurrency: 20 });
    await site.lineshaft.declareLimit({
      name: `${queue}-key`,
      concurrency: 3,
      key: { payload: 'tenant' },
      queues: [queue],
    });
    const { hold, seen } = meter();
    await site.work(queue, {
      offers: { gpu: 4 },
      handlers: { small: () => hold(1, breathe), big: () => hold(3, breathe) },
    });
    const requests = Array.from({ length: 60 }, (_, n) => ({
      ...{ kind: n % 5 === 0 ? 'big' : 'small', queue, payload: { tenant: `t${n % 4}` } },
      needs: { gpu: n % 5 === 0 ? 3 : 1 },
    }));
    const ids = (await site.lineshaft.enqueueMany(requests)).map(({ id }) => id);
    const finished = await site.lineshaft.waitFor(ids, { timeoutMs: 60_000 });
    expect(new Set(finished.map(({ state }) => state))).toEqual(new Set(['succeeded']));
    expect(seen).toMatchObject({ jobs: 60 });
    expect(seen.most).toBeLessThanOrEqual(4);
  });

  test('a job that needs more than any worker offers waits; one that offers as much takes it', async () => {
    const queue = await site.queue();
    await site.work(queue, { offers: { gpu: 1 }, handlers: { train: () => 'small' } });
    const { id } = await site.lineshaft.enqueue('train', null, { queue, needs: { gpu: 2 } });
    const fits = await site.lineshaft.enqueue('train', null, { queue, needs: { gpu: '1000m' } });
    const { id: none } = await site.lineshaft.enqueue('train', null, { queue, needs: { fpga: 1 } });
    expect(await site.lineshaft.waitFor([fits.id], { timeoutMs: 15_000 })).toMatchObject([
      { output: 'small' },
    ]);
    expect((await site.lineshaft.showJob(id)).state).toBe('ready');
    const { lanes } = await site.lineshaft.showQueue(queue);
    expect(lanes.find(({ needs }) => needs['gpu'] === 2)).toMatchObject({
      workers: 0,
      unservedBecause: 'amounts',
    });
    await site.work(queue, { offers: { gpu: 2 }, handlers: { train: () => 'large' } });
    expect(await site.lineshaft.waitFor([id], { timeoutMs: 15_000 })).toMatchObject([{ output: 'large' }]);
    expect((await site.lineshaft.showJob(none)).state).toBe('ready');
    await site.lineshaft.cancel([none]);
  });

  test('a queue says what its jobs need; a job says otherwise; a change counts for jobs that wait', async () => {
    const queue = await site.queue({ needs: { licence: 1 } });
    await site.work(queue, { handlers: { convert: () => 'done' } });
    const { id } = await site.lineshaft.enqueue('convert', null, { queue });
    const { id: free } = await site.lineshaft.enqueue('convert', null, { queue, needs: {} });
    expect(await site.lineshaft.waitFor([free], { timeoutMs: 15_000 })).toMatchObject([{ output: 'done' }]);
    expect((await site.lineshaft.showJob(id)).state).toBe('ready');
    await site.lineshaft.declare({ name: queue, needs: {} });
    expect(await site.lineshaft.waitFor([id], { timeoutMs: 15_000 })).toMatchObject([{ output: 'done' }]);
  });

  test('what a cancelled job held is free for the next', async () => {
    const queue = await site.queue();
    const started: string[] = [];
    await site.work(queue, {
      offers: { gpu: 1 },
      graceMs: 50,
      handlers: {
        train: (_: unknown, { id, signal }: JobContext) => {
          started.push(id);
          return new Promise((_resolve, reject) =>
            signal.addEventListener('abort', () => reject(signal.reason)),
          );
        },
      },
    });
    const requests = [1, 2].map(() => ({ kind: 'train', queue, needs: { gpu: 1 } }));
    const [first, second] = await site.lineshaft.enqueueMany(requests);
    await until('the first runs', () => started.length === 1);
    expect(started).toEqual([first?.id]);
    await site.lineshaft.cancel([first?.id ?? '']);
    await until('the second runs', () => started.length === 2);
    await site.lineshaft.cancel([second?.id ?? '']);
  });

  test('a big job is not passed over for ever', async () => {
    const queue = await site.queue({ concurrency: 10 });
    let more = true;
    const small = { kind: 'small', queue, needs: { gpu: 1 } };
    const { hold, seen } = meter();
    await site.work(queue, {
      offers: { gpu: 4 },
      reserveAfterMs: 200,
      handlers: {
        small: async (_: unknown, job: JobContext) => {
          // Ends at other times than its neighbours, and sends the next one: the stream never ends by itself.
          await hold(1, () => new Promise((resolve) => setTimeout(resolve, 5 + 20 * Math.random())));
          if (more) job.enqueue('small', null, { queue, needs: { gpu: 1 } });
        },
        big: () => hold(4, breathe),
      },
    });
    await site.lineshaft.enqueueMany(Array.from({ length: 8 }, () => small));
    await until('the small ones run', () => seen.jobs > 8);
    const { id } = await site.lineshaft.enqueue('big', null, { queue, needs: { gpu: 4 } });
    const finished = await site.lineshaft.waitFor([id], { timeoutMs: 30_000 });
    more = false;
    expect(finished).toMatchObject([{ state: 'succeeded' }]);
    expect(seen.most).toBe(4);
  });

  test('a wish is granted by who can; who cannot takes the job after a while, or at once where nobody can', async () => {
    const queue = await site.queue();
    await site.work(queue, { handlers: { one: () => 'plain' } });
    const wish = { queue, prefers: ['capability=ssd'] };
    const alone = await site.lineshaft.enqueue('one', null, { ...wish, preferMs: 3_600_000 });
    expect(await site.lineshaft.waitFor([alone.id], { timeoutMs: 15_000 })).toMatchObject([
      { output: 'plain' },
    ]);

    let open = (): void => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    await site.work(queue, {
      slots: 1,
      tags: ['capability=ssd'],
      handlers: { one: (held: unknown) => (held === true ? opened : 'ssd') },
    });
    const many = Array.from({ length: 20 }, () => ({ kind: 'one', ...wish, preferMs: 3_600_000 }));
    const ids = (await site.lineshaft.enqueueMany(many)).map(({ id }) => id);
    const finished = await site.lineshaft.waitFor(ids, { timeoutMs: 15_000 });
    expect(new Set(finished.map(({ output }) => output))).toEqual(new Set(['ssd']));

    const busy = await site.lineshaft.enqueue('one', true, { ...wish, preferMs: 3_600_000 });
    await until('it is busy', async () => (await site.lineshaft.showJob(busy.id)).state === 'running');
    const patient = await site.lineshaft.enqueue('one', null, { ...wish, preferMs: 3_600_000 });
    const hasty = await site.lineshaft.enqueue('one', null, { ...wish, preferMs: 300 });
    expect(await site.lineshaft.waitFor([hasty.id], { timeoutMs: 15_000 })).toMatchObject([
      { output: 'plain' },
    ]);
    expect((await site.lineshaft.showJob(patient.id)).state).toBe('ready');
    open();
    expect(await site.lineshaft.waitFor([patient.id], { timeoutMs: 15_000 })).toMatchObject([
      { output: 'ssd' },
    ]);
  });

  test('SQL callers give the same, and wrong ones are refused before anything is written', async () => {
    const queue = await site.queue();
    const enqueue = (options: object): Promise<unknown> =>
      site.rows('select * from lineshaft.enqueue($1, $2, $3)', [
        'one',
        '{}',
        JSON.stringify({ queue, ...options }),
      ]);
    await enqueue({ needs: { memory: '4Gi', gpu: 1 } });
    await site.lineshaft.enqueue('one', {}, { queue, needs: { gpu: '1', memory: 4 * 2 ** 30, fpga: 0 } });
    await enqueue({ prefers: ['b=1', 'a=1', 'b=1'] });
    await site.lineshaft.enqueue('one', {}, { queue, prefers: ['a=1', 'b=1'], preferMs: 5_000 });
    const { lanes } = await site.lineshaft.showQueue(queue);
    expect(lanes.map(({ needs, prefers, ready }) => ({ needs, prefers, ready }))).toEqual([
      { needs: { gpu: 1, memory: 4_294_967_296 }, prefers: [], ready: 2 },
      { needs: {}, prefers: ['a=1', 'b=1'], ready: 2 },
    ]);
    const wrong = [
      [{ needs: [] }, 'needs must be an object'],
      [{ needs: { 'a b': 1 } }, 'a name in needs must be'],
      [{ needs: { gpu: '1K' } }, 'needs.gpu must be an amount'],
      [{ needs: { gpu: -1 } }, 'needs.gpu must be an amount'],
      [{ needs: { gpu: 0.0001 } }, 'needs.gpu must be an amount'],
      [{ needs: { gpu: '9Ti' } }, 'needs.gpu must be an amount'],
      [{ needs: { gpu: true } }, 'needs.gpu must be an amount'],
      [{ prefers: 'a=1' }, 'prefers must be an array'],
      [{ prefers: [1] }, 'prefers must be tags'],
      [{ preferMs: 5 }, 'preferMs must be left out'],
      [{ prefers: ['a=1'], preferMs: -1 }, 'preferMs must be a whole number'],
    ] as const;
    for (const [options, message] of wrong) await expect(enqueue(options)).rejects.toThrow(message);
    for (const written of [
      '2',
      '0.5',
      '500m',
      '.5',
      '3k',
      '1.5Gi',
      '8Ti',
      '5E-1',
      '1000000n',
      '2000u',
      '+4',
      '2.',
    ]) {
      await enqueue({ needs: { [`x${Buffer.from(written).toString('hex')}`]: written } });
      await site.lineshaft.enqueue(
        'one',
        {},
        { queue, needs: { [`x${Buffer.from(written).toString('hex')}`]: written } },
      );
    }
    const after = (await site.lineshaft.showQueue(queue)).lanes;
    expect(after.length).toBe(2 + 12);
    expect(after.every(({ ready }) => ready === 2)).toBe(true);
  });
});
