import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type HandlingOptions,
  type JobContext,
  Lineshaft,
  NonRetryableError,
} from '../../packages/core/src/index.ts';
import { gate, openSite, type Site, until, versions } from './site.ts';

const now = { type: 'fixed', delayMs: 0, jitter: 0 } as const;
const hour = 3_600_000;
const thrown = new URL('../fixtures/thrown.ts', import.meta.url);

function fail(more: object): () => never {
  return () => {
    throw Object.assign(new Error('it failed'), more);
  };
}

describe.each(versions)('how failed attempts are tried again, on PostgreSQL %i', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterAll(() => site.close());

  /** Runs one job of a kind with these options until it is finished or waits for its time. */
  async function ending(
    handler: (payload: unknown, job: JobContext) => unknown,
    options: HandlingOptions,
    settings: Parameters<Site['queue']>[0] = {},
  ) {
    const queue = await site.queue({ backoff: now, maxAttempts: 4, ...settings });
    const client = site.other();
    client.handle('one', handler, options);
    const worker = client.worker({ queues: [queue], signals: false });
    await worker.start();
    const { id } = await site.lineshaft.enqueue('one', null, { queue });
    const job = await until('it is decided', async () => {
      const seen = await site.lineshaft.showJob(id);
      const waits = seen.state === 'retrying' && Number(seen.dueAt) - Date.now() > 60_000;
      return waits || seen.state === 'failed' || seen.state === 'succeeded' ? seen : undefined;
    });
    await worker.stop();
    return { ...job, inMs: Number(job.dueAt) - Date.now() };
  }

  test('NonRetryableError makes a dead letter at once', async () => {
    const job = await ending(() => {
      throw new NonRetryableError('not a CSV file');
    }, {});
    expect(job).toMatchObject({ state: 'failed', attempt: 1 });
    expect(job.errors).toMatchObject([{ name: 'NonRetryableError', message: 'not a CSV file' }]);
  });

  test('without a delay a job is ready at once, behind what waits', async () => {
    const queue = await site.queue({ backoff: now, concurrency: 1 });
    const order: string[] = [];
    const { id } = await site.lineshaft.enqueue('one', 'first', { queue });
    const stopped = Promise.withResolvers<void>();
    const leaving = await site.work(queue, {
      handlers: {
        one: (name: string) => {
          order.push(name);
          leaving.stop().then(stopped.resolve, stopped.reject);
          throw new Error('not yet');
        },
      },
    });
    await stopped.promise;
    const waiting = await site.lineshaft.showJob(id);
    expect(waiting).toMatchObject({ state: 'ready', attempt: 1, errors: [{ message: 'not yet' }] });
    expect(Number(waiting.dueAt)).toBeGreaterThan(Number(waiting.createdAt));
    const second = await site.lineshaft.enqueue('one', 'second', { queue });
    // As if it had been enqueued before the first attempt ended.
    await site.rows('update lineshaft.ready set due = $2 where job_id = $1', [second.id, waiting.createdAt]);
    await site.work(queue, { handlers: { one: (name: string) => void order.push(name) } });
    await site.lineshaft.waitFor([id, second.id], { timeoutMs: 10_000 });
    expect(order).toEqual(['first', 'second', 'first']);
    await site.rest();
  });

  test('a job that is ready again is news to the other workers', async () => {
    const queue = await site.queue({ backoff: now });
    const started = gate();
    const fails = gate();
    const runs: string[] = [];
    const { id } = await site.lineshaft.enqueue('one', null, { queue });
    const leaving = await site.work(queue, {
      handlers: {
        one: async () => {
          runs.push('leaving');
          started.open();
          await fails.opened;
          throw new Error('not here');
        },
      },
    });
    await started.opened;
    const staying = await site.work(queue, { handlers: { one: () => void runs.push('staying') } });
    const stopped = leaving.stop();
    fails.open();
    // It would look by itself only after a minute.
    await site.lineshaft.waitFor([id], { timeoutMs: 15_000 });
    expect(runs).toEqual(['leaving', 'staying']);
    await Promise.all([stopped, staying.stop()]);
  });

  test('rules of the kind go before those of the queue, and the first that matches decides', async () => {
    const queueRules = {
      retryRules: [
        { error: 'E_BANK', maxAttempts: 2 },
        { error: 'Error', fail: true },
      ],
    };
    expect(await ending(fail({ code: 'E_BANK' }), {}, queueRules)).toMatchObject({
      state: 'failed',
      attempt: 2,
    });
    expect(await ending(fail({ code: 'E_OTHER' }), {}, queueRules)).toMatchObject({
      state: 'failed',
      attempt: 1,
    });
    const ofKind = { retryRules: [{ error: '/failed/', maxAttempts: 6 }] };
    expect(await ending(fail({ code: 'E_BANK' }), ofKind, queueRules)).toMatchObject({
      state: 'failed',
      attempt: 6,
    });
  });

  test('a rule has a back-off of its own', async () => {
    const backoff = { type: 'fixed', delayMs: hour, jitter: 0 } as const;
    const job = await ending(fail({}), { retryRules: [{ error: 'Error', backoff }] });
    expect(job.state).toBe('retrying');
    expect(job.inMs).toBeGreaterThan(hour - 60_000);
  });

  test('a retry function is told error and attempt, and decides before the rules', async () => {
    const asked: unknown[] = [];
    const retryRules = [{ error: 'Error', fail: true }];
    const job = await ending(fail({ code: 'E_BANK' }), {
      retryRules,
      retry: (error, attempt) => {
        asked.push([error.name, error.code, error.message, attempt]);
        return attempt < 3 ? 0 : 'fail';
      },
    });
    expect(job).toMatchObject({ state: 'failed', attempt: 3 });
    expect(asked).toEqual([1, 2, 3].map((attempt) => ['Error', 'E_BANK', 'it failed', attempt]));
    expect(await ending(fail({}), { retryRules, retry: async () => undefined })).toMatchObject({
      attempt: 1,
    });
    expect((await ending(fail({}), { retry: async () => hour })).inMs).toBeGreaterThan(hour - 60_000);
    expect(await ending(fail({}), { retry: () => 0 })).toMatchObject({ state: 'failed', attempt: 4 });
  });

  test('a retry function that throws, is late or answers nonsense is reported, and the rules decide', async () => {
    const wrong: HandlingOptions['retry'][] = [
      () => {
        throw new Error('my mistake');
      },
      async () => {
        throw new Error('my mistake');
      },
      () => -1,
      () => 'never' as 'fail',
      () => new Promise(() => {}),
    ];
    for (const retry of wrong) {
      const before = site.log.count(/gave no answer/);
      const rules = [{ error: 'Error', fail: true }];
      const job = await ending(fail({}), { retryRules: rules, ...(retry ? { retry } : {}) });
      expect(job).toMatchObject({ state: 'failed', attempt: 1 });
      expect(site.log.count(/gave no answer/)).toBe(before + 1);
    }
  });

  test('a stop does not lose an attempt whose retry function has not answered', async () => {
    const queue = await site.queue();
    const client = site.other();
    let asked = false;
    client.handle('one', fail({}), {
      retry: () => {
        asked = true;
        return new Promise(() => {});
      },
    });
    const worker = client.worker({ queues: [queue], signals: false });
    await worker.start();
    const { id } = await site.lineshaft.enqueue('one', null, { queue });
    await until('it is asked', () => asked);
    await worker.stop();
    expect(['retrying', 'ready']).toContain((await site.lineshaft.showJob(id)).state);
  });

  test.each(['thread', 'process'] as const)(
    'name, code and retryable come home from a %s',
    async (executor) => {
      const queue = await site.queue({
        executor,
        backoff: now,
        retryRules: [
          { error: 'E_BANK', maxAttempts: 2 },
          { error: 'TeapotError', fail: true },
        ],
      });
      await site.work(queue, {
        handlers: Object.fromEntries(
          ['code', 'named', 'useless'].map((name) => [name, { module: thrown, export: name }]),
        ),
      });
      const made = await site.lineshaft.enqueueMany(
        ['code', 'named', 'useless'].map((kind) => ({ kind, queue })),
      );
      await site.lineshaft.waitFor(
        made.map(({ id }) => id),
        { timeoutMs: 20_000 },
      );
      const jobs = await Promise.all(made.map(({ id }) => site.lineshaft.showJob(id)));
      expect(jobs.map(({ attempt, errors }) => [attempt, errors.at(-1)?.name, errors.at(-1)?.code])).toEqual([
        [2, 'Error', 'E_BANK'],
        [1, 'TeapotError', undefined],
        [1, 'NonRetryableError', undefined],
      ]);
    },
  );

  test('the end of a program is matched by its message', async () => {
    const queue = await site.queue({
      executor: 'command',
      backoff: now,
      retryRules: [{ error: '/exit code 75/', maxAttempts: 2 }],
    });
    const command = { command: 'sh', args: ['-c', 'exit 75'] };
    await site.work(queue, { handlers: { busy: command } });
    const { id } = await site.lineshaft.enqueue('busy', null, { queue });
    await site.lineshaft.waitFor([id], { timeoutMs: 20_000 });
    expect(await site.lineshaft.showJob(id)).toMatchObject({ state: 'failed', attempt: 2 });
  });

  test('wrong rules are refused with their place, in TypeScript and in SQL', async () => {
    const client = new Lineshaft({ databaseUrl: site.url });
    const wrong: [unknown, RegExp][] = [
      [[{ error: 'X', fail: true }, { error: 'Y' }], /retryRules[.[]1\]? must be a rule with/],
      [[{ error: '/a/g', fail: true }], /retryRules[.[]0\]?\.error must be an expression/],
      [[{ error: 'X', maxAttempts: 0 }], /retryRules[.[]0\]?\.maxAttempts must be a whole number/],
      [
        [{ error: 'X', backoff: { type: 'fixed', delayMs: -1 } }],
        /retryRules[.[]0\]?\.backoff\.delayMs must be/,
      ],
      [[{ error: 'X', fail: true, maxAttempts: 2 }], /retryRules[.[]0\]?\.fail must be left out/],
      [[{ error: 'X', fial: true }], /retryRules[.[]0\]?\.fial/],
      ['X', /retryRules must be an array/],
    ];
    for (const [retryRules, message] of wrong) {
      await expect(client.declare({ name: 'default', retryRules: retryRules as [] })).rejects.toThrow(
        message,
      );
      await expect(
        site.rows("update lineshaft.queue set retry_rules = $1 where name = 'default'", [
          JSON.stringify(retryRules),
        ]),
      ).rejects.toThrow(message);
    }
    expect(() => client.handle('one', () => 1, { retry: 5 as never })).toThrow(
      /handle\('one'\)\.retry must be a/,
    );
    expect(() => client.handle('one', () => 1, { retires: 5 } as never)).toThrow(
      /no option .*; options: retryRules, retry/,
    );
    await client.close();
  });
});
