import { arch, hostname, platform } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defineKinds, type JobContext } from '../../packages/core/src/index.ts';
import { eventOf, freshName, openSite, type Site, until, versions } from './site.ts';

/** Schema by hand: an object with a text `to`; what it makes has it in lower case. */
const address = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate(value: unknown) {
      const to = (value as { to?: unknown } | null)?.to;
      if (typeof to !== 'string') return { issues: [{ message: 'must be a text', path: ['to'] }] };
      return { value: { to: to.toLowerCase() } };
    },
  },
} as const;

describe.each(versions)('which worker runs what, on PostgreSQL %i', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterAll(() => site.close());

  const tell = (by: string) => () => by;

  test('every worker has its automatic tags, and the ones that it was given', async () => {
    const worker = await site.work('none', {
      workerId: 'w-1',
      tags: ['has=gpu'],
      handlers: { one: tell('w') },
    });
    expect(worker.id).toBe('w-1');
    expect(worker.tags).toEqual([
      '*',
      `hostname=${hostname()}`,
      'worker_id=w-1',
      `os=${platform()}`,
      `arch=${arch()}`,
      `node=${process.versions.node}`,
      ...worker.tags.filter((tag) => tag.startsWith('python=')),
      `pid=${process.pid}`,
      'build=0.0.0',
      'has=gpu',
    ]);
    const seen = (await site.lineshaft.workers()).find((view) => view.workerId === 'w-1');
    expect(seen).toMatchObject({
      name: 'w-1',
      tags: worker.tags,
      // Steps that every worker can do are among them.
      kinds: ['HTTP', 'PULL_WORKFLOW_MESSAGES', 'one'],
      queues: [],
      running: 0,
      expired: false,
    });
    await worker.stop();
    expect((await site.lineshaft.workers()).map((view) => view.workerId)).not.toContain('w-1');
  });

  test('a job goes only to a worker that has all of its requirements', async () => {
    const queue = await site.queue();
    await site.work(queue, { tags: ['capability=gpu'], handlers: { where: tell('gpu only') } });
    await site.work(queue, { tags: ['capability=gpu', 'license=full'], handlers: { where: tell('both') } });
    const both = Array.from({ length: 20 }, () => ({
      kind: 'where',
      queue,
      requirements: ['license=*', 'capability=gpu'],
    }));
    const ids = (await site.lineshaft.enqueueMany(both)).map((made) => made.id);
    const nobody = await site.lineshaft.enqueue('where', null, { queue, requirements: ['capability=fpga'] });
    const finished = await site.lineshaft.waitFor(ids, { timeoutMs: 10_000 });
    expect(new Set(finished.map((job) => job.output))).toEqual(new Set(['both']));
    expect(await site.lineshaft.showJob(nobody.id)).toMatchObject({
      state: 'ready',
      requirements: ['capability=fpga'],
    });
    await site.work(queue, { tags: ['capability=fpga'], handlers: { where: tell('fpga') } });
    expect(await site.lineshaft.waitFor([nobody.id], { timeoutMs: 10_000 })).toMatchObject([
      { output: 'fpga' },
    ]);
  });

  test('queues are served by name, by slug, or by tags', async () => {
    const [named, slugged, tagged, foreign] = [
      await site.queue(),
      await site.queue(),
      freshName(),
      freshName(),
    ];
    await site.lineshaft.declare({ name: tagged, tags: ['role=mail'] });
    await site.lineshaft.declare({ name: foreign, tags: ['role=other'] });
    const slug = (await site.lineshaft.showQueue(slugged)).queue.slug;
    await site.work([named, slug], { handlers: { which: tell('by name') } });
    const byTags = site.lineshaft.worker({
      signals: false,
      tags: ['role=mail'],
      handlers: { 'which-tag': tell('by tags') },
    });
    await byTags.start();
    const requests = [named, slugged].map((queue) => ({ kind: 'which', queue }));
    const ids = (await site.lineshaft.enqueueMany(requests)).map((made) => made.id);
    const viaTag = await site.lineshaft.enqueue('which-tag', null, { queue: tagged });
    const other = await site.lineshaft.enqueue('which-tag', null, { queue: foreign });
    const finished = await site.lineshaft.waitFor([...ids, viaTag.id], { timeoutMs: 10_000 });
    expect(finished.map((job) => job.output)).toEqual(['by name', 'by name', 'by tags']);
    expect((await site.lineshaft.showJob(other.id)).state).toBe('ready');
    await byTags.stop();
  });

  test('a worker for some projects leaves the jobs of others alone', async () => {
    const project = freshName('project');
    const { id: projectId } = await site.lineshaft.createProject(project);
    const queue = await site.queue();
    await site.lineshaft.declare({ name: queue, project });
    await site.work(queue, { projectIds: [projectId], handlers: { one: tell('of the project') } });
    const own = await site.lineshaft.enqueue('one', null, { queue, project });
    const foreign = await site.lineshaft.enqueue('one', null, { queue });
    expect(await site.lineshaft.waitFor([own.id], { timeoutMs: 10_000 })).toMatchObject([
      { output: 'of the project' },
    ]);
    expect(await site.lineshaft.showJob(foreign.id)).toMatchObject({ state: 'ready', project: 'default' });
    expect(await site.lineshaft.showJob(own.id)).toMatchObject({ project });
  });

  test('a job of a kind that nobody knows waits, burns no attempt, and the log says so once', async () => {
    const queue = await site.queue();
    const kind = freshName('unknown');
    await site.lineshaft.enqueue(kind, null, { queue });
    const { id } = await site.lineshaft.enqueue(kind, null, { queue });
    const worker = await site.work(queue, { handlers: { known: tell('known') } });
    const known = await site.lineshaft.enqueue('known', null, { queue });
    await site.lineshaft.waitFor([known.id], { timeoutMs: 10_000 });
    await until('it is told', () => site.log.count(new RegExp(`'${kind}' wait`)) > 0);
    expect(await site.lineshaft.showJob(id)).toMatchObject({ state: 'ready', attempt: 0, rescued: 0 });
    expect(site.log.count(new RegExp(`'${kind}' wait`))).toBe(1);
    await worker.stop();
    await site.work(queue, { handlers: { [kind]: tell('now known') } });
    expect(await site.lineshaft.waitFor([id], { timeoutMs: 10_000 })).toMatchObject([
      { output: 'now known' },
    ]);
  });

  test('an older payload is upgraded before the handler sees it, and what was sent is kept', async () => {
    const queue = await site.queue();
    const kind = freshName('kind');
    const { id } = await site.lineshaft.enqueue(kind, 'ada', { queue });
    const upgrade = (from: number, old: unknown) => ({ to: `${String(old)} of version ${from}` });
    const kinds = defineKinds<Record<string, unknown>>({ [kind]: { version: 3, upgrade } });
    const newer = site.other({ kinds });
    const worker = newer.worker({
      queues: [queue],
      signals: false,
      handlers: { [kind]: (payload: unknown) => payload },
    });
    await worker.start();
    expect(await site.lineshaft.waitFor([id], { timeoutMs: 10_000 })).toMatchObject([
      { output: { to: 'ada of version 1' } },
    ]);
    expect(await site.lineshaft.showJob(id)).toMatchObject({ payload: 'ada', attempt: 1 });
    const current = await newer.enqueue(kind, { to: 'bob' }, { queue });
    expect(await site.lineshaft.waitFor([current.id], { timeoutMs: 10_000 })).toMatchObject([
      { output: { to: 'bob' } },
    ]);
  });

  test('a failed upgrade blocks the job, uncounted; a retry or a newer build releases it', async () => {
    const queue = await site.queue();
    const kind = freshName('kind');
    const ids = (await site.lineshaft.enqueueMany([1, 2].map((n) => ({ kind, queue, payload: n })))).map(
      (made) => made.id,
    );
    let broken = true;
    const upgrade = (_from: number, old: unknown): unknown => {
      if (broken) throw new Error('no way up');
      return { n: old };
    };
    const kinds = defineKinds<Record<string, unknown>>({ [kind]: { version: 2, upgrade } });
    const handlers = { [kind]: (payload: unknown) => payload };
    const first = site.other({ kinds, build: '1.0.0' }).worker({ queues: [queue], signals: false, handlers });
    await first.start();
    for (const id of ids) {
      await until('it is blocked', async () => (await site.lineshaft.showJob(id)).state === 'blocked');
      expect(await site.lineshaft.showJob(id)).toMatchObject({
        reason: 'upgrade-failed',
        detail: { build: '1.0.0', from: 1, error: { message: expect.stringContaining('no way up') } },
        attempt: 0,
      });
    }
    expect((await site.lineshaft.listJobs({ queue, state: 'blocked' })).map((job) => job.id).sort()).toEqual(
      [...ids].sort(),
    );
    broken = false;
    expect(await site.lineshaft.retry([ids[0] ?? ''])).toMatchObject([{ result: 'retried' }]);
    expect(await site.lineshaft.waitFor([ids[0] ?? ''], { timeoutMs: 10_000 })).toMatchObject([
      { output: { n: 1 } },
    ]);
    await first.stop();
    const same = site
      .other({ kinds, build: '1.0.0' })
      .worker({ queues: [queue], signals: false, once: true, handlers });
    await same.start();
    await same.stopped();
    expect((await site.lineshaft.showJob(ids[1] ?? '')).state).toBe('blocked');
    const next = site.other({ kinds, build: '1.0.1' }).worker({ queues: [queue], signals: false, handlers });
    await next.start();
    expect(await site.lineshaft.waitFor([ids[1] ?? ''], { timeoutMs: 10_000 })).toMatchObject([
      { output: { n: 2 } },
    ]);
  });

  test('a payload of a version that this build does not know yet blocks too', async () => {
    const queue = await site.queue();
    const kind = freshName('kind');
    const kinds = defineKinds<Record<string, unknown>>({
      [kind]: { version: 2, upgrade: (_from, old) => old },
    });
    const worker = await site.work(queue, { handlers: { [kind]: tell('old') } });
    const finished = eventOf(worker, 'finished');
    const { id } = await site.other({ kinds }).enqueue(kind, 'new', { queue });
    expect(await finished).toMatchObject({ jobs: [{ id, ending: 'blocked' }] });
    expect(await site.lineshaft.showJob(id)).toMatchObject({
      state: 'blocked',
      reason: 'upgrade-failed',
      attempt: 0,
    });
  });

  test('a pinned kind runs on the builds that its pin allows', async () => {
    const queue = await site.queue();
    const kinds = defineKinds<Record<string, unknown>>({
      any: {},
      least: { pin: 'min' },
      same: { pin: 'exact' },
    });
    const producer = site.other({ kinds, build: '1.5.0' });
    const builds = ['1.4.9', '1.10.0', '1.5.0'];
    const enqueued = await producer.enqueueMany(['any', 'least', 'same'].map((kind) => ({ kind, queue })));
    const [any = '', least = '', same = ''] = enqueued.map((made) => made.id);
    const runOnce = async (build: string): Promise<void> => {
      const handlers = { any: tell(build), least: tell(build), same: tell(build) };
      const worker = site
        .other({ kinds, build })
        .worker({ queues: [queue], signals: false, once: true, handlers });
      await worker.start();
      await worker.stopped();
    };
    await runOnce(builds[0] ?? '');
    expect(await site.lineshaft.showJob(any)).toMatchObject({ output: '1.4.9' });
    expect(await site.lineshaft.showJob(least)).toMatchObject({ state: 'ready' });
    await runOnce(builds[1] ?? '');
    expect(await site.lineshaft.showJob(least)).toMatchObject({ output: '1.10.0' });
    expect(await site.lineshaft.showJob(same)).toMatchObject({ state: 'ready' });
    await runOnce(builds[2] ?? '');
    expect(await site.lineshaft.showJob(same)).toMatchObject({ output: '1.5.0' });
  });

  test('the schema of a kind is checked at enqueue, and again before the handler', async () => {
    const queue = await site.queue();
    const kind = freshName('mail');
    const kinds = defineKinds<Record<string, unknown>>({ [kind]: { schema: address } });
    const typed = site.other({ kinds });
    const refused = typed.enqueue(kind, { to: 5 }, { queue });
    await expect(refused).rejects.toMatchObject({
      code: 'PAYLOAD_INVALID',
      message: expect.stringContaining('payload.to'),
    });
    expect(await site.lineshaft.listJobs({ queue })).toEqual([]);
    const worker = typed.worker({
      queues: [queue],
      signals: false,
      handlers: { [kind]: (payload: unknown) => payload },
    });
    await worker.start();
    const good = await typed.enqueue(kind, { to: 'ADA' }, { queue });
    const unchecked = await site.lineshaft.enqueue(kind, { to: null }, { queue });
    const [sent, bad] = await site.lineshaft.waitFor([good.id, unchecked.id], { timeoutMs: 10_000 });
    expect(sent).toMatchObject({ output: { to: 'ada' } });
    expect(bad).toMatchObject({ state: 'failed', error: { code: 'PAYLOAD_INVALID', attempt: 1 } });
    expect(await site.lineshaft.showJob(good.id)).toMatchObject({ payload: { to: 'ADA' } });
  });

  test('a worker runs kinds of several executors side by side', async () => {
    const queue = await site.queue();
    await site.work(queue, {
      handlers: {
        here: (_payload: unknown, job: JobContext) => job.kind,
        program: { command: 'cat' },
      },
    });
    const requests = ['here', 'program'].map((kind) => ({ kind, queue, payload: { n: 1 } }));
    const ids = (await site.lineshaft.enqueueMany(requests)).map((made) => made.id);
    const finished = await site.lineshaft.waitFor(ids, { timeoutMs: 10_000 });
    expect(finished.map((job) => job.output)).toEqual(['here', { n: 1 }]);
  });
});
