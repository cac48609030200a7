/**
 * What the description of a worker (seed 002) says, sentence by sentence and sample by sample, in TypeScript.
 * Its other plugins and its web page have tests where they are made.
 */

import { spawnSync } from 'node:child_process';
import { arch, hostname, platform } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { age } from '../../packages/core/src/domain/rules.ts';
import {
  type JobContext,
  leader,
  pruner,
  rescuer,
  scheduler,
  type Worker,
} from '../../packages/core/src/index.ts';
import { gate, openSite, type Site, until, versions } from '../worker/site.ts';

describe.each(versions)('the description of a worker, on PostgreSQL %i', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterAll(() => site.close());

  /** Starts a worker as the samples do, and stops it when the sample is over. */
  async function start(options: object): Promise<Worker & AsyncDisposable> {
    const worker = site.lineshaft.worker({ signals: false, ...options });
    await worker.start();
    return Object.assign(worker, { [Symbol.asyncDispose]: () => worker.stop() });
  }

  async function run(kind: string, queue?: string): Promise<unknown> {
    const { id } = await site.lineshaft.enqueue(kind, null, queue === undefined ? {} : { queue });
    const [job] = await site.lineshaft.waitFor([id], { timeoutMs: 10_000 });
    return job?.output;
  }

  test('a worker listens to one or more queues for jobs, and executes them', async () => {
    const [first, second] = [await site.queue(), await site.queue()];
    await using _ = await start({ queues: [first, second], handlers: { job: () => 'executed' } });
    expect(await run('job', first)).toBe('executed');
    expect(await run('job', second)).toBe('executed');
  });

  test('creating a worker: migrate, declare a "default" queue with a concurrency of 10, start', async () => {
    const { lineshaft } = site;
    await lineshaft.migrate();
    await lineshaft.declare({ name: 'default', concurrency: 10 });
    const hold = gate();
    let running = 0;
    let most = 0;
    const job = async (): Promise<void> => {
      running += 1;
      most = Math.max(most, running);
      await hold.opened;
      running -= 1;
    };
    await using _ = await start({ queues: ['default'], handlers: { job } });
    const made = await lineshaft.enqueueMany(Array.from({ length: 25 }, () => ({ kind: 'job' })));
    await until('ten run', () => running === 10);
    hold.open();
    await lineshaft.waitFor(
      made.map((each) => each.id),
      { timeoutMs: 10_000 },
    );
    expect(most).toBe(10);
  });

  test('every worker automatically gets some tags', async () => {
    await using worker = await start({ handlers: {} });
    expect(worker.tags).toContain(`hostname=${hostname()}`);
    expect(worker.tags).toContain(`worker_id=${worker.id}`);
    expect(worker.tags).toContain(`arch=${arch()}`);
    expect(worker.tags).toContain(`os=${platform()}`);
    expect(worker.tags).toContain('*');
  });

  test('the tag python= has its version, on machines that have it', async () => {
    const { stdout } = spawnSync('python3', ['--version'], { encoding: 'utf8' });
    const version = /^Python (\S+)/.exec(stdout ?? '')?.[1];
    await using worker = await start({ handlers: {} });
    expect(worker.tags.filter((tag) => tag.startsWith('python='))).toEqual(
      version === undefined ? [] : [`python=${version}`],
    );
  });

  test('custom tags are added when a worker is created', async () => {
    await using worker = await start({ tags: ['has=gpu', 'env=production'], handlers: {} });
    expect(worker.tags).toEqual(expect.arrayContaining(['has=gpu', 'env=production', '*']));
    const seen = (await site.lineshaft.workers()).find((view) => view.workerId === worker.id);
    expect(seen?.tags).toEqual(worker.tags);
  });

  test('a queue with the tag "has=gpu" runs only on workers that have it', async () => {
    await site.lineshaft.declare({ name: 'gpu_jobs', tags: ['has=gpu'], concurrency: 2 });
    await using plain = await start({ handlers: { render: () => 'without' } });
    const { id } = await site.lineshaft.enqueue('render', null, { queue: 'gpu_jobs' });
    const seen = (await site.lineshaft.workers()).find((view) => view.workerId === plain.id);
    expect(seen?.queues.some((slug) => slug.endsWith('-gpu_jobs'))).toBe(false);
    expect((await site.lineshaft.showJob(id)).state).toBe('ready');
    await using _ = await start({
      tags: ['has=gpu', 'env=production'],
      handlers: { render: () => 'with gpu' },
    });
    expect(await site.lineshaft.waitFor([id], { timeoutMs: 10_000 })).toMatchObject([{ output: 'with gpu' }]);
    await site.lineshaft.deleteQueue('gpu_jobs', { purge: true });
  });

  test('the sample of plugins: pruner, recovery, leadership and cron, given by name and started', async () => {
    const plugins = [pruner(), rescuer(), leader(), scheduler()];
    const lineshaft = site.other({ plugins });
    const worker = lineshaft.worker({ signals: false, queues: ['none'], handlers: {} });
    await worker.start();
    await until('it leads, or somebody does', async () =>
      (await lineshaft.workers()).some((view) => view.leads),
    );
    const running = worker.metrics().hooks.filter((part) => part.hook === 'service' && !part.off);
    for (const { name } of plugins) expect(running.map((part) => part.plugin)).toContain(name);
    expect(running.filter((part) => part.plugin === 'pruner')).toHaveLength(1);
    await worker.stop();
    expect(() => site.other({ plugins: [pruner(), pruner()] })).toThrow("plugin 'pruner' is there twice");
  });

  test('the sample of a pruner: jobs older than an hour are removed, and looked for every hour', async () => {
    // Pruner(Age() > 3600, poll_interval=3600)
    const plugins = [pruner({ rule: age().gt('1h'), intervalMs: 3_600_000 })];
    const other = site.other({ plugins });
    const queue = await site.queue();
    const old = await site.lineshaft.enqueue('job', null, { queue });
    const waiting = await site.lineshaft.enqueue('job', null, { queue, delayMs: 86_400_000 });
    await site.rows(
      "update lineshaft.job set created_at = created_at - interval '61 minutes' where id = any ($1)",
      [[old.id, waiting.id]],
    );
    await using first = await start({ queues: [queue], handlers: { job: () => 'done' } });
    const young = await site.lineshaft.enqueue('job', null, { queue });
    await site.lineshaft.waitFor([old.id, young.id], { timeoutMs: 10_000 });
    await first.stop();
    const worker = other.worker({ queues: [queue], signals: false, handlers: {} });
    const pruned = new Promise<number>((resolve) =>
      worker.once('pruned', (report) => resolve(report.pruned)),
    );
    await worker.start();
    expect(await pruned).toBe(1);
    await worker.stop();
    const states = await site.lineshaft.waitFor([old.id, young.id], { timeoutMs: 10_000 });
    expect(states.map(({ state }) => state)).toEqual(['forgotten', 'succeeded']);
    expect((await site.lineshaft.showJob(waiting.id)).state).toBe('scheduled');
    await site.lineshaft.deleteJobs([waiting.id]);
  });

  test('jobs of crashed workers are recovered, and a leader is elected, without any plugin', async () => {
    await using _ = await start({ leaseMs: 1_000, handlers: { job: () => 'recovered' } });
    const { id } = await site.lineshaft.enqueue('job', null, { delayMs: 3_600_000 });
    // A worker that claimed the job and crashed.
    await site.rows(
      `with crashed as (
        insert into lineshaft.worker
          (worker_id, name, build, tags, kinds, queues, slots, lease_ms, lease_until)
        values ('crashed', 'crashed', '', '{}', '{}', '{}', 1, 1000, now() - interval '1 hour') returning id
      ),
      waiting as (delete from lineshaft.later where job_id = $1)
      insert into lineshaft.lease (worker, job_ids, fences) select id, array[$1::uuid], '{0}' from crashed`,
      [id],
    );
    expect(await site.lineshaft.waitFor([id], { timeoutMs: 10_000 })).toMatchObject([
      { output: 'recovered' },
    ]);
    await until('somebody leads', async () =>
      (await site.lineshaft.workers()).some((worker) => worker.leads),
    );
  });

  test('a complete worker setup: three queues, a worker id, tags, and a heartbeat setting', async () => {
    const { lineshaft } = site;
    await lineshaft.declare({ name: 'default', concurrency: 10 });
    await lineshaft.declare({ name: 'high_priority', concurrency: 5, tags: ['role=priority'] });
    await lineshaft.declare({ name: 'low_priority', concurrency: 2 });
    await using worker = await start({
      workerId: 'worker-1',
      tags: ['role=priority', 'env=dev'],
      heartbeatMs: 15_000,
      leaseMs: 45_000,
      handlers: { job: (_payload: unknown, job: JobContext) => job.queue },
    });
    expect(worker.id).toBe('worker-1');
    for (const queue of ['default', 'high_priority', 'low_priority'])
      expect(await run('job', queue)).toBe(queue);
    const seen = (await lineshaft.workers()).find((view) => view.workerId === 'worker-1');
    expect(seen?.tags).toEqual(expect.arrayContaining(['role=priority', 'env=dev']));
    expect(seen?.queues).toEqual(expect.arrayContaining(['1-default', '1-high_priority', '1-low_priority']));
    expect((seen?.leaseUntil.getTime() ?? 0) - (seen?.heartbeatAt.getTime() ?? 0)).toBe(45_000);
    const concurrencies = (await lineshaft.queues()).map((queue) => [queue.name, queue.concurrency]);
    expect(concurrencies).toEqual(
      expect.arrayContaining([
        ['default', 10],
        ['high_priority', 5],
        ['low_priority', 2],
      ]),
    );
  });

  test('Cron: schedules recurring jobs with crontab syntax, without any plugin', async () => {
    const { lineshaft } = site;
    const queue = await site.queue();
    const seen: (Date | undefined)[] = [];
    const cron = (_payload: unknown, job: JobContext): void => void seen.push(job.schedule?.tick);
    await using _ = await start({ queues: [queue], handlers: { cron } });
    // A crontab line, which does not come due now, and one with seconds, which does.
    const nightly = { name: 'nightly', cron: '30 2 * * MON-FRI', kind: 'cron', options: { queue } };
    expect(await lineshaft.schedule(nightly)).toMatchObject({
      result: 'new',
      state: 'active',
      timeZone: 'UTC',
    });
    await lineshaft.schedule({ ...nightly, name: 'often', cron: '* * * * * *' });
    await until('it has run again', () => seen.length >= 2);
    expect((seen[1]?.getTime() ?? 0) - (seen[0]?.getTime() ?? 0)).toBe(1_000);
    // Declaring it at each start does not begin its time anew, as it did there.
    const { nextRunAt } = await lineshaft.showSchedule('nightly');
    expect(await lineshaft.schedule(nightly)).toMatchObject({ result: 'kept', nextRunAt });
    await lineshaft.deleteSchedule('often');
    await lineshaft.deleteSchedule('nightly');
    expect(await lineshaft.schedules()).toEqual([]);
  });

  test('the heartbeat is heard as often as it was set', async () => {
    await using worker = await start({ heartbeatMs: 100, leaseMs: 3_000, handlers: {} });
    const beat = async (): Promise<number> =>
      (await site.lineshaft.workers()).find((view) => view.workerId === worker.id)?.heartbeatAt.getTime() ??
      0;
    const first = await beat();
    await until('it was heard three times more', async () => (await beat()) >= first + 300);
    expect(() => site.lineshaft.worker({ heartbeatMs: 15_000, leaseMs: 15_000, handlers: {} })).toThrow(
      /heartbeatMs must be at most a third/,
    );
  });
});
