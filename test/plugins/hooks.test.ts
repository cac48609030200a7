/** Hooks and middlewares of plugins in a running worker: what they are told, what they may do, and what they cannot. */

import { AsyncLocalStorage } from 'node:async_hooks';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  type AttemptEndFacts,
  definePlugin,
  type FinishedFacts,
  isLineshaftError,
  type Lineshaft,
  type LineshaftOptions,
  type Plugin,
} from '../../packages/core/src/index.ts';
import { eventOf, gate, openSite, type Site, until, versions } from '../worker/site.ts';

describe.each(versions)('a plugin, on PostgreSQL %i', (version) => {
  let site: Site;
  const opened: Lineshaft[] = [];
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((each) => each.close()));
  });
  afterAll(() => site.close());

  function open(plugins: readonly Plugin[], options: LineshaftOptions = {}): Lineshaft {
    const lineshaft = site.other({ plugins, ...options });
    opened.push(lineshaft);
    return lineshaft;
  }

  /** Runs one job with these plugins, and answers how it ended. */
  async function runOne(plugins: readonly Plugin[], handler: () => unknown, options: object = {}) {
    const lineshaft = open(plugins);
    const queue = await site.queue();
    const worker = lineshaft.worker({ signals: false, queues: [queue], handlers: { job: handler } });
    await worker.start();
    const { id } = await lineshaft.enqueue('job', { n: 1 }, { queue, ...options });
    const [job] = await lineshaft.waitFor([id], { timeoutMs: 10_000 });
    return { job, worker, id, queue };
  }

  test('is told of the start and the end of workers, before the first job and after the last', async () => {
    const told: string[] = [];
    const plugin = definePlugin({
      name: 'teller',
      config: z.object({ word: z.string() }),
      hooks: {
        workerStart: ({ workerId, tags }, { config }) =>
          told.push(`${config.word} ${workerId} ${tags.includes('*')}`),
        finished: (jobs) => told.push(`finished ${jobs.length}`),
        workerStop: async ({ workerId }) => void told.push(`stop ${workerId}`),
      },
    });
    const { worker } = await runOne([plugin({ word: 'start' })], () => told.push('ran'));
    await worker.stop();
    expect(told).toEqual([`start ${worker.id} true`, 'ran', 'finished 1', `stop ${worker.id}`]);
  });

  test('is told of attempts that start and end, and of jobs whose end is written', async () => {
    const starts: number[] = [];
    const ends: AttemptEndFacts[] = [];
    const finished: FinishedFacts[] = [];
    const plugin = definePlugin({
      name: 'observer',
      hooks: {
        attemptStart: ({ attempt, payload }) => {
          expect(payload).toEqual({ n: 1 });
          starts.push(attempt);
        },
        attemptEnd: (facts) => void ends.push(facts),
        finished: (jobs) => void finished.push(...jobs),
      },
    });
    let attempts = 0;
    const handler = (): string => {
      attempts += 1;
      if (attempts === 1) throw new TypeError('not yet');
      return 'done';
    };
    const backoff = { type: 'fixed', delayMs: 1, jitter: 0 };
    const { job, id, queue } = await runOne([plugin()], handler, { backoff });
    expect(job?.output).toBe('done');
    await until('both are told', () => finished.length === 2);
    expect(starts).toEqual([1, 2]);
    expect(ends[0]).toMatchObject({ jobId: id, queue, outcome: 'failed', retryInMs: 1, attempt: 1 });
    expect(ends[0]?.error).toMatchObject({ name: 'TypeError', message: 'not yet' });
    expect(ends[1]).toMatchObject({ outcome: 'succeeded', error: undefined, retryInMs: undefined });
    expect(finished.map(({ state, attempt }) => [state, attempt])).toEqual([
      ['retrying', 1],
      ['succeeded', 2],
    ]);
  });

  test('may change a request before it is checked and written, also one of a handler', async () => {
    const plugin = definePlugin({
      name: 'labeller',
      hooks: {
        enqueue: async (request) => ({ ...request, labels: { ...request.labels, by: 'plugin' } }),
      },
    });
    const lineshaft = open([plugin()]);
    const queue = await site.queue();
    const child = gate();
    await lineshaft
      .worker({
        signals: false,
        queues: [queue],
        handlers: {
          parent: (_payload, job) => job.enqueue('child', null, { queue }),
          child: (_payload, job) => {
            child.open();
            return job.labels;
          },
        },
      })
      .start();
    const { id } = await lineshaft.enqueue('parent', null, { queue, labels: { own: 'yes' } });
    await child.opened;
    expect((await lineshaft.showJob(id)).options.labels).toEqual({ own: 'yes', by: 'plugin' });
    const [, second] = await until('both have finished', async () => {
      const jobs = await lineshaft.listJobs({ queue, state: 'succeeded' });
      return jobs.length === 2 && jobs;
    });
    expect(second).toBeDefined();
    await expect(
      open([
        definePlugin({ name: 'breaker', hooks: { enqueue: (r) => ({ ...r, queue: 'No Queue' }) } })(),
      ]).enqueue('x'),
    ).rejects.toSatisfy((error) => isLineshaftError(error, 'OPTION_INVALID'));
  });

  test('may refuse a request; nothing is written then, and the reason is told', async () => {
    const plugin = definePlugin({
      name: 'gatekeeper',
      hooks: {
        enqueue(request, { refuse }) {
          if (request.kind === 'forbidden') refuse('not on a Sunday');
          return undefined;
        },
      },
    });
    const lineshaft = open([plugin()]);
    const queue = await site.queue();
    const refused = lineshaft.enqueueMany([
      { kind: 'allowed', queue },
      { kind: 'forbidden', queue },
    ]);
    await expect(refused).rejects.toMatchObject({
      code: 'ENQUEUE_REFUSED',
      message: "plugin 'gatekeeper' refuses the job: not on a Sunday",
    });
    expect(await lineshaft.listJobs({ queue })).toEqual([]);
    await lineshaft.enqueue('allowed', null, { queue });
    expect(await lineshaft.listJobs({ queue })).toHaveLength(1);
  });

  test('that throws in a hook is reported once and switched off for it; jobs and its other hooks go on', async () => {
    let finished = 0;
    const plugin = definePlugin({
      name: 'clumsy',
      hooks: {
        attemptStart: () => {
          throw new Error('dropped it');
        },
        attemptEnd: async () => Promise.reject(new Error('dropped it again')),
        enqueue: () => {
          throw new Error('lost it');
        },
        workerStart: () => Promise.reject(new Error('overslept')),
        finished: (jobs) => {
          finished += jobs.length;
        },
      },
    });
    const before = site.log.lines.length;
    const { job, worker, queue } = await runOne([plugin()], () => 'ran');
    expect(job?.output).toBe('ran');
    const again = await opened[0]?.enqueueMany([
      { kind: 'job', queue },
      { kind: 'job', queue },
    ]);
    await opened[0]?.waitFor(again?.map(({ id }) => id) ?? []);
    await until('all were told', () => finished === 3);
    const told = site.log.lines.slice(before).filter((line) => line.includes("plugin 'clumsy'"));
    expect(told.sort()).toEqual(
      [
        "plugin 'clumsy': attemptEnd failed and is switched off: dropped it again",
        "plugin 'clumsy': attemptStart failed and is switched off: dropped it",
        "plugin 'clumsy': enqueue failed and is switched off: lost it",
        "plugin 'clumsy': workerStart failed and is switched off: overslept",
      ].sort(),
    );
    expect(
      worker
        .metrics()
        .hooks.filter((hook) => hook.off)
        .map((hook) => hook.hook)
        .sort(),
    ).toEqual(['attemptEnd', 'attemptStart', 'enqueue', 'workerStart']);
  });

  test('that hangs in a hook is left behind after its time', async () => {
    const never = new Promise<undefined>(() => {});
    const plugin = definePlugin({
      name: 'sleeper',
      timeoutMs: 50,
      hooks: {
        enqueue: () => never,
        attemptStart: () => never,
        workerStart: () => never,
        workerStop: () => never,
      },
      middleware: () => never,
    });
    const { job, worker } = await runOne([plugin()], () => 'ran');
    expect(job?.output).toBe('ran');
    await worker.stop();
    const hooks = worker.metrics().hooks.filter((hook) => hook.plugin === 'sleeper');
    expect(hooks.filter((hook) => !hook.off)).toEqual([]);
    expect(hooks.every((hook) => hook.failures >= 1)).toBe(true);
  });

  test('goes around attempts, the first of the list outermost, in the context that it set up', async () => {
    const context = new AsyncLocalStorage<string>();
    const told: string[] = [];
    const layer = (name: string): Plugin =>
      definePlugin({
        name,
        middleware: async (attempt, next) => {
          told.push(`${name} before ${attempt.kind}`);
          const { outcome } = await context.run(`${context.getStore() ?? ''}${name}`, next);
          told.push(`${name} after ${outcome}`);
        },
      })();
    const { job } = await runOne([layer('outer'), layer('inner')], () => context.getStore());
    expect(job?.output).toBe('outerinner');
    expect(told).toEqual([
      'outer before job',
      'inner before job',
      'inner after succeeded',
      'outer after succeeded',
    ]);
  });

  test.each([
    ['throws before next', () => Promise.reject(new Error('mine'))],
    ['returns without next', () => undefined],
    [
      'throws after next',
      (_attempt: unknown, next: () => Promise<unknown>) =>
        next().then(() => Promise.reject(new Error('mine'))),
    ],
  ])(
    'whose middleware %s is skipped with a report, and the attempt is as it was',
    async (_what, middleware) => {
      const plugin = definePlugin({ name: 'wrapper', middleware });
      let runs = 0;
      const { job, worker } = await runOne([plugin()], () => {
        runs += 1;
        return 'ran';
      });
      expect([job?.output, runs]).toEqual(['ran', 1]);
      expect(worker.metrics().hooks).toContainEqual(
        expect.objectContaining({ plugin: 'wrapper', hook: 'middleware', off: true }),
      );
    },
  );

  test('sees the error of a handler and cannot change it', async () => {
    const seen: unknown[] = [];
    const plugin = definePlugin({
      name: 'wrapper',
      middleware: async (_attempt, next) => {
        seen.push((await next()).error?.message);
        return 'something else';
      },
    });
    const { job } = await runOne(
      [plugin()],
      () => {
        throw new Error('of the handler');
      },
      { maxAttempts: 1 },
    );
    expect(job?.state).toBe('failed');
    expect(seen).toEqual(['of the handler']);
  });

  test('goes around attempts in threads, processes and programs too', async () => {
    const seen: string[] = [];
    const plugin = definePlugin({
      name: 'wrapper',
      middleware: async (attempt, next) => seen.push(`${attempt.kind} ${(await next()).outcome}`),
    });
    const lineshaft = open([plugin()]);
    const queue = await site.queue();
    const module = new URL('../fixtures/where.ts', import.meta.url);
    const handlers = { module: { module }, program: { command: 'cat' } };
    for (const executor of ['thread', 'process'] as const) {
      const worker = lineshaft.worker({ signals: false, queues: [queue], handlers, executor });
      await worker.start();
      const { id } = await lineshaft.enqueue('module', {}, { queue });
      await lineshaft.waitFor([id], { timeoutMs: 15_000 });
      await worker.stop();
    }
    const worker = lineshaft.worker({ signals: false, queues: [queue], handlers });
    await worker.start();
    const { id } = await lineshaft.enqueue('program', {}, { queue });
    await lineshaft.waitFor([id], { timeoutMs: 15_000 });
    await worker.stop();
    expect(seen).toEqual(['module succeeded', 'module succeeded', 'program succeeded']);
  });

  test('that holds an attempt up does not keep it from being cancelled', async () => {
    const hold = gate();
    const entered = gate();
    const plugin = definePlugin({
      name: 'holder',
      middleware: async (_attempt, next) => {
        entered.open();
        await hold.opened;
        return await next();
      },
    });
    const lineshaft = open([plugin()]);
    const queue = await site.queue();
    let ran = false;
    const worker = lineshaft.worker({
      signals: false,
      leaseMs: 1_000,
      queues: [queue],
      handlers: {
        job: () => {
          ran = true;
        },
      },
    });
    await worker.start();
    const { id } = await lineshaft.enqueue('job', null, { queue });
    await entered.opened;
    const late = eventOf(worker, 'late');
    await lineshaft.cancel([id], 'not wanted');
    const beats = async (): Promise<number> =>
      (await lineshaft.workers()).find((view) => view.workerId === worker.id)?.heartbeatAt.getTime() ?? 0;
    const first = await beats();
    await until(
      'the worker has heard of it with its second heartbeat',
      async () => (await beats()) > first + 400,
    );
    hold.open();
    await late;
    expect(ran).toBe(false);
  });
});
