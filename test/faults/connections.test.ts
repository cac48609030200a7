import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { JobContext } from '../../packages/core/src/index.ts';
import { eventOf, freshName, gate, openSite, openStranger, type Site, until } from '../worker/site.ts';
import { startLossyProxy } from './proxy.ts';

describe('connections that are lost', () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(18);
  });
  afterEach(() => site.rest());
  afterAll(() => site.close());

  test('jobs of a claim whose answer was lost go back, though their worker never stopped', async () => {
    const queue = await site.queue();
    await using proxy = await startLossyProxy(site.url);
    const client = site.other({ databaseUrl: proxy.url });
    const worker = client.worker({
      queues: [queue],
      signals: false,
      leaseMs: 3_000,
      heartbeatMs: 100,
      handlers: { one: () => 1 },
    });
    await worker.start();
    const warm = await site.lineshaft.enqueue('one', null, { queue });
    await site.lineshaft.waitFor([warm.id], { timeoutMs: 10_000 });
    const sent = proxy.loseAnswerTo('claim_lane');
    const { id } = await site.lineshaft.enqueue('one', null, { queue });
    await sent;
    await until('it is claimed', async () => {
      const leases = await site.rows('select 1 from lineshaft.lease where $1 = any (job_ids)', [id]);
      return leases.length > 0;
    });
    proxy.cut();
    expect(await site.lineshaft.waitFor([id], { timeoutMs: 10_000 })).toMatchObject([{ state: 'succeeded' }]);
    expect(await site.rows('select 1 from lineshaft.lease where $1 = any (job_ids)', [id])).toEqual([]);
    await client.close();
  });

  test('a completion whose answer was lost is written once', async () => {
    const queue = await site.queue();
    await using proxy = await startLossyProxy(site.url);
    const client = site.other({ databaseUrl: proxy.url });
    let runs = 0;
    const hold = gate();
    const handlers = {
      one: async () => {
        runs += 1;
        await hold.opened;
        return 'done';
      },
    };
    const worker = client.worker({
      queues: [queue],
      signals: false,
      leaseMs: 3_000,
      heartbeatMs: 100,
      handlers,
    });
    await worker.start();
    let late = 0;
    worker.on('late', () => {
      late += 1;
    });
    const { id } = await site.lineshaft.enqueue('one', null, { queue });
    await until('it runs', () => runs === 1);
    const sent = proxy.loseAnswerTo('complete');
    hold.open();
    await sent;
    expect(await site.lineshaft.waitFor([id], { timeoutMs: 10_000 })).toMatchObject([{ output: 'done' }]);
    proxy.cut();
    await worker.stop();
    expect([runs, late]).toEqual([1, 0]);
    expect(worker.metrics()).toMatchObject({ succeeded: 1, late: 0 });
    expect(await site.rows('select 1 from lineshaft.history where $1 = any (ids)', [id])).toHaveLength(1);
    await client.close();
  });

  test('a retry, and an end that is not remembered, are told from late results too when their answers were lost', async () => {
    const queue = await site.queue({ retention: { succeededMs: 0 } });
    await using proxy = await startLossyProxy(site.url);
    const client = site.other({ databaseUrl: proxy.url });
    const holds = [gate(), gate()];
    let runs = 0;
    const worker = client.worker({
      queues: [queue],
      signals: false,
      leaseMs: 3_000,
      heartbeatMs: 100,
      handlers: {
        one: async () => {
          runs += 1;
          await holds[runs - 1]?.opened;
          if (runs === 1) throw new Error('not yet');
        },
      },
    });
    await worker.start();
    const backoff = { type: 'fixed', delayMs: 200, jitter: 0 } as const;
    const { id } = await site.lineshaft.enqueue('one', null, { queue, backoff });
    for (const [statement, run] of [
      ['settle', 1],
      ['forget', 2],
    ] as const) {
      await until('it runs', () => runs === run);
      const sent = proxy.loseAnswerTo(statement);
      holds[run - 1]?.open();
      await sent;
      await until('it is written', async () => {
        const running = await site.rows('select 1 from lineshaft.lease where $1 = any (job_ids)', [id]);
        return running.length === 0;
      });
      proxy.cut();
    }
    await until('both are known to be written', () => worker.metrics().succeeded === 1);
    expect(worker.metrics()).toMatchObject({ retried: 1, succeeded: 1, late: 0 });
    await client.close();
  });

  test('a result that was cancelled while its answer was lost is late', async () => {
    const queue = await site.queue();
    await using proxy = await startLossyProxy(site.url);
    const client = site.other({ databaseUrl: proxy.url });
    const started = gate();
    const hold = gate();
    const worker = client.worker({
      queues: [queue],
      signals: false,
      handlers: {
        one: async () => {
          started.open();
          await hold.opened;
        },
      },
    });
    await worker.start();
    const late = eventOf(worker, 'late');
    const { id } = await site.lineshaft.enqueue('one', null, { queue });
    await started.opened;
    // The write waits behind the cancellation, loses its connection, and comes again when that is through.
    const stranger = await openStranger(site.url);
    await stranger.query('select lineshaft.cancel(array[$1::uuid], $2)', [id, 'not wanted']);
    const sent = proxy.loseAnswerTo('complete');
    hold.open();
    await sent;
    await stranger.query('commit');
    await stranger.end();
    proxy.cut();
    expect(await late).toEqual({ ids: [id] });
    expect(worker.metrics()).toMatchObject({ succeeded: 0, late: 1 });
    await client.close();
  });

  test('a heartbeat that is never answered is sent again before the lease runs out', async () => {
    const queue = await site.queue();
    await using proxy = await startLossyProxy(site.url);
    const client = site.other({ databaseUrl: proxy.url });
    const hold = gate();
    const started = gate();
    const handlers = {
      long: async () => {
        started.open();
        await hold.opened;
        return 'done';
      },
    };
    const worker = client.worker({
      queues: [queue],
      signals: false,
      leaseMs: 3_000,
      heartbeatMs: 100,
      handlers,
    });
    const wrong: unknown[] = [];
    for (const name of ['disowned', 'late'] as const) worker.on(name, () => wrong.push(name));
    await worker.start();
    const { id } = await site.lineshaft.enqueue('long', null, { queue });
    await started.opened;
    await proxy.loseAnswerTo('heartbeat');
    await site.work('none', { leaseMs: 1_000, handlers: {} });
    const [before] = await site.rows<{ until: Date }>(
      'select lease_until as until from lineshaft.worker where worker_id = $1',
      [worker.id],
    );
    await until('it was heard after what would have been the end', async () => {
      const view = (await site.lineshaft.workers()).find((each) => each.workerId === worker.id);
      return view !== undefined && before !== undefined && view.heartbeatAt > before.until;
    });
    hold.open();
    expect(await site.lineshaft.waitFor([id], { timeoutMs: 10_000 })).toMatchObject([{ output: 'done' }]);
    await client.close();
    expect(wrong).toEqual([]);
  });

  test('a LISTEN connection that is killed comes back, and missed wakes are found', async () => {
    const queue = await site.queue({ pollingIntervalMs: 60_000 });
    await site.work(queue, { handlers: { one: () => 'heard' } });
    for (let round = 0; round < 3; round += 1) {
      const listener = await until('it listens', async () => {
        const text =
          "select pid from pg_stat_activity where query ilike 'listen %' and datname = current_database()";
        const [found] = await site.rows<{ pid: number }>(text);
        return found;
      });
      await site.rows('select pg_terminate_backend($1)', [listener.pid]);
      const { id } = await site.lineshaft.enqueue('one', round, { queue });
      expect(await site.lineshaft.waitFor([id], { timeoutMs: 10_000 })).toMatchObject([{ output: 'heard' }]);
    }
  });

  test('a worker that was taken for dead while it claims registers anew and goes on', async () => {
    const queue = await site.queue({ concurrency: 2 });
    const hold = gate();
    const started = gate();
    const reasons: unknown[] = [];
    const workerId = freshName('w');
    const worker = await site.work(queue, {
      workerId,
      leaseMs: 60_000,
      handlers: {
        quick: () => 'quick',
        long: async (_payload: unknown, job: JobContext) => {
          job.signal.addEventListener('abort', () =>
            reasons.push((job.signal.reason as { code: string }).code),
          );
          started.open();
          await hold.opened;
          return 'too late';
        },
      },
    });
    const long = await site.lineshaft.enqueue('long', null, { queue });
    await started.opened;
    const settings = eventOf(worker, 'settings');
    await site.lineshaft.pauseQueue(queue);
    await settings;
    const disowned = eventOf(worker, 'disowned');
    const late = eventOf(worker, 'late');
    await site.rows("update lineshaft.worker set lease_until = now() - interval '1 s' where worker_id = $1", [
      workerId,
    ]);
    await site.rows('select lineshaft.rescue(id, 3) from lineshaft.worker where worker_id = $1', [workerId]);
    await site.lineshaft.cancel([long.id]);
    const quick = await site.lineshaft.enqueue('quick', null, { queue });
    await site.lineshaft.resumeQueue(queue);
    await disowned;
    expect(await site.lineshaft.waitFor([quick.id], { timeoutMs: 10_000 })).toMatchObject([
      { output: 'quick' },
    ]);
    hold.open();
    expect(await late).toEqual({ ids: [long.id] });
    expect(reasons).toEqual(['LEASE_LOST']);
    expect((await site.lineshaft.workers()).filter((view) => view.workerId === workerId)).toHaveLength(1);
  });
});
