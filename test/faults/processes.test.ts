import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { eventOf, gate, openSite, type Site, until } from '../worker/site.ts';
import { endWorkerProcesses, startWorkerProcess } from './worker-processes.ts';

const lease = { leaseMs: 1_000, graceMs: 100 } as const;

describe('worker processes that die, stop and freeze', () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(18);
  });
  afterEach(async () => {
    await endWorkerProcesses();
    await site.rest();
    // What the killed ones left is none of the next test's business.
    await site.rows('update lineshaft.worker set lease_until = now()');
    await site.rows('select lineshaft.rescue(id, 100) from lineshaft.worker');
  });
  afterAll(() => site.close());

  test('the jobs of a worker that is killed run again elsewhere, their attempts not counted', async () => {
    const queue = await site.queue();
    const first = await startWorkerProcess(site.url, { queues: [queue], ...lease });
    const made = await site.lineshaft.enqueueMany(
      [1, 2, 3].map(() => ({ kind: 'hold', queue, payload: { ms: 60_000 } })),
    );
    const ids = made.map((each) => each.id);
    for (const id of ids) await first.heard('running', (said) => said.id === id);
    const second = await site.work(queue, { ...lease, handlers: { hold: () => 'elsewhere' } });
    const rescued = eventOf(second, 'rescued');
    first.kill('SIGKILL');
    expect(await first.exited).toBe('SIGKILL');
    expect(await rescued).toMatchObject({ returned: 3, buried: 0 });
    const finished = await site.lineshaft.waitFor(ids, { timeoutMs: 10_000 });
    expect(finished.map((job) => job.output)).toEqual(['elsewhere', 'elsewhere', 'elsewhere']);
    for (const id of ids)
      expect(await site.lineshaft.showJob(id)).toMatchObject({ state: 'succeeded', attempt: 1 });
  });

  test('a job that was rescued shows how often, and its attempt was not counted', async () => {
    const queue = await site.queue();
    const first = await startWorkerProcess(site.url, { queues: [queue], ...lease });
    const { id } = await site.lineshaft.enqueue('hold', { ms: 60_000 }, { queue });
    await first.heard('running');
    const rescuer = await site.work('none', { ...lease, handlers: {} });
    const rescued = eventOf(rescuer, 'rescued');
    first.kill('SIGKILL');
    await rescued;
    expect(await site.lineshaft.showJob(id)).toMatchObject({ state: 'ready', rescued: 1, attempt: 0 });
    expect((await site.lineshaft.workers()).filter((worker) => worker.queues.length > 0)).toEqual([]);
  });

  test('the jobs of a worker that died run again side by side', async () => {
    const queue = await site.queue();
    const first = await startWorkerProcess(site.url, { queues: [queue], ...lease });
    const made = await site.lineshaft.enqueueMany(
      [1, 2, 3, 4, 5].map(() => ({ kind: 'hold', queue, payload: { ms: 60_000 } })),
    );
    for (const { id } of made) await first.heard('running', (said) => said.id === id);
    first.kill('SIGKILL');
    let running = 0;
    const all = gate();
    const hold = async (): Promise<void> => {
      running += 1;
      if (running === made.length) all.open();
      await all.opened;
    };
    await site.work(queue, { ...lease, handlers: { hold } });
    await site.lineshaft.waitFor(
      made.map((each) => each.id),
      { timeoutMs: 10_000 },
    );
    expect(running).toBe(5);
  });

  test('a job that kills its workers is a dead letter after the third', async () => {
    const queue = await site.queue();
    const rescuer = await site.work('none', { ...lease, handlers: {} });
    const { id } = await site.lineshaft.enqueue('poison', null, { queue });
    for (const nth of [1, 2, 3]) {
      const rescued = eventOf(rescuer, 'rescued');
      const victim = await startWorkerProcess(site.url, { queues: [queue], ...lease });
      await victim.heard('running');
      expect(await rescued).toMatchObject({ returned: nth < 3 ? 1 : 0, buried: nth < 3 ? 0 : 1 });
    }
    const [job] = await site.lineshaft.waitFor([id], { timeoutMs: 10_000 });
    expect(job).toMatchObject({ state: 'failed', error: { code: 'WORKER_POISONED' } });
    expect(await site.lineshaft.showJob(id)).toMatchObject({ state: 'failed', reason: 'poison', rescued: 3 });
  });

  test('a job that kills its workers does not take its neighbours along', async () => {
    const queue = await site.queue({ concurrency: 20 });
    const rescuer = await site.work('none', { ...lease, handlers: {} });
    const { id: poison } = await site.lineshaft.enqueue('poison', null, { queue });
    const neighbours: string[] = [];
    for (let n = 0; n < 9; n += 1) {
      neighbours.push((await site.lineshaft.enqueue('hold', { ms: 10 }, { queue })).id);
    }
    for (const nth of [1, 2, 3]) {
      const rescued = eventOf(rescuer, 'rescued');
      await startWorkerProcess(site.url, { queues: [queue], ...lease });
      expect(await rescued).toMatchObject({ buried: nth < 3 ? 0 : 1 });
    }
    const survivor = await startWorkerProcess(site.url, { queues: [queue], ...lease });
    for (const job of await site.lineshaft.waitFor(neighbours, { timeoutMs: 20_000 })) {
      expect(job).toMatchObject({ state: 'succeeded', output: survivor.pid });
    }
    expect(await site.lineshaft.showJob(poison)).toMatchObject({ state: 'failed', reason: 'poison' });
  });

  test('after SIGTERM what runs is finished and written, and what waits is left to others', async () => {
    const queue = await site.queue({ concurrency: 1 });
    const worker = await startWorkerProcess(site.url, { queues: [queue], ...lease });
    const running = await site.lineshaft.enqueue('hold', { ms: 400 }, { queue });
    await worker.heard('running');
    const waiting = await site.lineshaft.enqueue('hold', { ms: 1 }, { queue });
    worker.kill('SIGTERM');
    expect(await worker.exited).toBe(0);
    expect(await site.lineshaft.showJob(running.id)).toMatchObject({
      state: 'succeeded',
      output: worker.pid,
    });
    expect(await site.lineshaft.showJob(waiting.id)).toMatchObject({
      state: 'ready',
      attempt: 0,
      rescued: 0,
    });
    expect((await site.lineshaft.workers()).filter((view) => view.queues.length > 0)).toEqual([]);
  });

  test.each(['wait', 'hold'])(
    "after a second SIGTERM a '%s' job goes back at once, its attempt not counted",
    async (kind) => {
      const queue = await site.queue();
      const worker = await startWorkerProcess(site.url, {
        queues: [queue],
        ...lease,
        shutdownTimeoutMs: 60_000,
      });
      const { id } = await site.lineshaft.enqueue(kind, { ms: 60_000 }, { queue });
      await worker.heard('running');
      worker.kill('SIGTERM');
      await worker.heard('log', (said) => said.line?.includes('worker stops') ?? false);
      worker.kill('SIGTERM');
      await worker.heard('closed');
      expect(await site.lineshaft.showJob(id)).toMatchObject({ state: 'ready', attempt: 0, rescued: 0 });
    },
  );

  test('a worker that wakes after its lease changes nothing, says so, and goes on', async () => {
    const queue = await site.queue({ concurrency: 2 });
    const sleeper = await startWorkerProcess(site.url, { queues: [queue], ...lease });
    const { id } = await site.lineshaft.enqueue('hold', { ms: 500 }, { queue });
    await sleeper.heard('running');
    const other = await site.work(queue, { ...lease, handlers: { hold: () => 'elsewhere' } });
    const rescued = eventOf(other, 'rescued');
    sleeper.kill('SIGSTOP');
    await rescued;
    expect(await site.lineshaft.waitFor([id], { timeoutMs: 10_000 })).toMatchObject([
      { output: 'elsewhere' },
    ]);
    await other.stop();
    sleeper.kill('SIGCONT');
    await sleeper.heard('disowned');
    expect(await sleeper.heard('late')).toMatchObject({ facts: { ids: [id] } });
    expect(await site.lineshaft.showJob(id)).toMatchObject({ state: 'succeeded', output: 'elsewhere' });
    const next = await site.lineshaft.enqueue('quick', null, { queue });
    expect(await site.lineshaft.waitFor([next.id], { timeoutMs: 10_000 })).toMatchObject([
      { output: sleeper.pid },
    ]);
  });

  test('when the leader is killed another one leads within its lease', async () => {
    const leads = async (): Promise<string | undefined> =>
      (await site.lineshaft.workers()).find((worker) => worker.leads && !worker.expired)?.workerId;
    const first = await startWorkerProcess(site.url, { queues: ['none'], workerId: 'first', ...lease });
    await until('it leads', async () => (await leads()) === 'first', 10_000);
    await startWorkerProcess(site.url, { queues: ['none'], workerId: 'second', ...lease });
    expect(await leads()).toBe('first');
    first.kill('SIGKILL');
    await until('the other leads', async () => (await leads()) === 'second', 5_000);
  });
});
