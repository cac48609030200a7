/** What workers that poll say of their steps, and what runs make of it. */

import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type {
  Lineshaft,
  PolledStep,
  RunView,
  StepDefinition,
  StepReport,
  TaskDefinition,
} from '../../packages/core/src/index.ts';
import { expectNothingInUse } from '../limits/ledger.ts';
import { freshName, gate, openSite, type Site, until, versions } from '../worker/site.ts';

describe.each(versions)('reports on PostgreSQL %s', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterEach(() => site.rest());
  afterAll(() => site.close());

  /** A workflow of steps one after the other, whose tasks have names of their own. */
  async function flow(
    steps: Record<string, Partial<TaskDefinition>>,
    taskToDomain?: Record<string, string>,
  ): Promise<{ runId: string; kind: (ref: string) => string }> {
    const name = freshName('flow');
    const kind = (ref: string): string => `${name}.${ref}`;
    const tasks = Object.entries(steps).map(
      ([ref, task]): StepDefinition => ({
        name: kind(ref),
        taskReferenceName: ref,
        type: 'SIMPLE',
        inputParameters: { from: '${workflow.input.n}' },
        taskDefinition: { name: kind(ref), retryDelaySeconds: 0, ...task },
      }),
    );
    const { workflows } = site.lineshaft;
    await workflows.putWorkflow({ name, version: 1, tasks }, { overwrite: false });
    const runId = await workflows.start({
      name,
      input: { n: 1 },
      ...(taskToDomain === undefined ? {} : { taskToDomain }),
    });
    return { runId, kind };
  }

  async function take(kind: string, of: Lineshaft = site.lineshaft, domain?: string): Promise<PolledStep> {
    const [polled] = await of.workflows.poll({
      kind,
      workerId: 'worker-1',
      count: 1,
      timeoutMs: 10_000,
      ...(domain === undefined ? {} : { domain }),
    });
    if (polled === undefined) throw new Error(`nothing came for ${kind}`);
    return polled;
  }

  const report = (given: StepReport, of: Lineshaft = site.lineshaft) => of.workflows.report(given);
  const show = (runId: string): Promise<RunView> => site.lineshaft.workflows.show(runId);
  const leases = (runId: string) =>
    site.rows(
      `select from lineshaft.step s
       left join lineshaft.job_lease p on p.job_id = s.id
       left join lineshaft.lease l on s.id = any (l.job_ids)
       where s.run_id = $1 and (p.job_id is not null or l.id is not null)`,
      [runId],
    );

  it('end steps, with outputs, and the next is there', async () => {
    const { runId, kind } = await flow({ a: {}, b: {} });
    const a = await take(kind('a'));
    const done = await report({ stepId: a.step.id, status: 'COMPLETED', output: { x: 1 }, workerId: 'me' });
    expect(done?.step).toMatchObject({ status: 'COMPLETED', output: { x: 1 }, workerId: 'me', pollCount: 1 });
    const b = await take(kind('b'));
    const asked = (): number => site.lineshaft.statementCounts().get('load_steps') ?? 0;
    const askedBefore = asked();
    const last = await report({ stepId: b.step.id, status: 'COMPLETED', output: { y: 2 } });
    expect(last?.step).toMatchObject({ id: b.step.id, status: 'COMPLETED', output: { y: 2 } });
    expect(last?.run.id).toBe(runId);
    // What it had in memory is enough to answer, though the run has ended.
    expect(asked()).toBe(askedBefore);
    const { run, steps } = await show(runId);
    expect(run.status).toBe('COMPLETED');
    expect(steps.map(({ ref, status, workerId, startedAt }) => [ref, status, workerId, startedAt])).toEqual([
      ['a', 'COMPLETED', 'me', a.step.startedAt],
      ['b', 'COMPLETED', 'worker-1', b.step.startedAt],
    ]);
    expect(await leases(runId)).toEqual([]);
  });

  it('are taken by any server, also when the one that gave the step has died', async () => {
    const { runId, kind } = await flow({ a: {}, b: {} });
    const dying = site.other();
    const { step } = await take(kind('a'), dying);
    await dying.close();
    const survivor = site.other();
    const done = await report({ stepId: step.id, status: 'COMPLETED', output: { x: 1 } }, survivor);
    expect(done?.step).toMatchObject({
      status: 'COMPLETED',
      workerId: 'worker-1',
      pollCount: 1,
      startedAt: step.startedAt,
    });
    const next = await take(kind('b'), survivor);
    await report({ stepId: next.step.id, status: 'COMPLETED' }, site.other());
    expect((await show(runId)).run.status).toBe('COMPLETED');
    expect(await leases(runId)).toEqual([]);
  });

  it('are taken for steps that nobody polled, which then are not there any more', async () => {
    const { runId, kind } = await flow({ a: {}, b: {} });
    const [a] = (await show(runId)).steps;
    await report({ stepId: a?.id ?? '', status: 'COMPLETED', output: { by: 'hand' } });
    const polled = await site.lineshaft.workflows.poll({
      kind: kind('a'),
      workerId: 'w',
      count: 5,
      timeoutMs: 0,
    });
    expect(polled).toEqual([]);
    await take(kind('b'));
  });

  it('change nothing when they come again or too late, and are refused for steps that never were', async () => {
    const { runId, kind } = await flow({ a: {}, b: {} });
    const { step } = await take(kind('a'));
    await report({ stepId: step.id, status: 'COMPLETED', output: { first: true } });
    await report({ stepId: step.id, status: 'FAILED', output: { second: true } });
    expect((await show(runId)).steps[0]).toMatchObject({ status: 'COMPLETED', output: { first: true } });
    expect(await report({ stepId: step.id, status: 'FAILED' }, site.other())).toBeUndefined();
    await expect(report({ stepId: randomUUID(), status: 'COMPLETED' })).rejects.toMatchObject({
      code: 'STEP_NOT_FOUND',
    });
    await expect(report({ stepId: 'no id', status: 'COMPLETED' })).rejects.toMatchObject({
      code: 'STEP_NOT_FOUND',
    });
  });

  it('put a step back that is not done yet: the same id, when it was asked for', async () => {
    const { runId, kind } = await flow({ a: {} });
    const first = await take(kind('a'));
    await report({
      stepId: first.step.id,
      status: 'IN_PROGRESS',
      output: { half: true },
      callbackAfterSeconds: 3_600,
    });
    expect((await show(runId)).steps[0]).toMatchObject({ status: 'SCHEDULED', output: { half: true } });
    expect(await site.rows('select from lineshaft.later where job_id = $1', [first.step.id])).toHaveLength(1);
    expect(await leases(runId)).toEqual([]);
    await report({ stepId: first.step.id, status: 'IN_PROGRESS', output: { half: false } });
    const second = await take(kind('a'));
    expect(second.step).toMatchObject({
      id: first.step.id,
      pollCount: 2,
      startedAt: first.step.startedAt,
      output: { half: false },
    });
    await report({ stepId: second.step.id, status: 'COMPLETED' });
    expect((await show(runId)).run.status).toBe('COMPLETED');
  });

  it('keep a lease from running out, and a step whose worker is silent is tried again', async () => {
    const { runId, kind } = await flow({ a: { responseTimeoutSeconds: 4 } });
    await site.work('none', { handlers: {} });
    // Connected before the time begins.
    const other = site.other();
    await other.workflows.show(runId);
    const { step } = await take(kind('a'));
    const until_ = async (): Promise<number> => {
      const [row] = await site.rows<{ until: Date }>(
        'select until from lineshaft.job_lease where job_id = $1',
        [step.id],
      );
      return row?.until.getTime() ?? 0;
    };
    // Until its server has told that the answer was sent it has another time.
    await until('it has its response time', async () => (await until_()) < Date.now() + 5_000);
    const before = await until_();
    await report({ stepId: step.id, status: 'IN_PROGRESS', extendLease: true }, other);
    expect(await until_()).toBeGreaterThan(before);
    const again = await take(kind('a'));
    expect(again.step).toMatchObject({ retriedStepId: step.id, retryCount: 1 });
    // The first comes back after all.
    await report({ stepId: step.id, status: 'COMPLETED', output: { late: true } });
    await report({ stepId: again.step.id, status: 'COMPLETED' });
    const view = await show(runId);
    expect(view.run.status).toBe('COMPLETED');
    expect(view.steps.map(({ status, workerId }) => [status, workerId])).toEqual([
      ['TIMED_OUT', 'worker-1'],
      ['COMPLETED', 'worker-1'],
    ]);
    expect(await leases(runId)).toEqual([]);
  });

  it('are missed also by a worker that lets the database sleep', { timeout: 90_000 }, async () => {
    const { runId, kind } = await flow({ a: { responseTimeoutSeconds: 1, retryCount: 0 } });
    const asleep = gate();
    const log = {
      debug: (message: string) => void (/lets the database sleep/.test(message) && asleep.open()),
      info: () => {},
      warn: () => {},
      error: () => {},
    };
    const sleeper = site
      .other({ log })
      .worker({ queues: ['none'], handlers: {}, signals: false, letDatabaseSleep: true });
    await sleeper.start();
    await asleep.opened;
    const { step } = await take(kind('a'));
    const view = await site.lineshaft.workflows.waitForRun(runId, ({ run }) => run.endedAt !== undefined, {
      timeoutMs: 60_000,
    });
    expect(view.run.status).toBe('TIMED_OUT');
    expect(view.steps[0]).toMatchObject({ id: step.id, status: 'TIMED_OUT', workerId: 'worker-1' });
    await sleeper.stop();
  });

  it('need not hurry where only polling has a time limit', async () => {
    await site.work('none', { handlers: {} });
    const { runId, kind } = await flow({ a: { pollTimeoutSeconds: 1, retryCount: 0 } });
    const { step } = await take(kind('a'));
    const status = async (): Promise<unknown> =>
      (await site.rows<{ status: string }>('select status from lineshaft.step where id = $1', [step.id]))[0]
        ?.status;
    await until('the run was told that it is polled', async () => (await status()) !== 'SCHEDULED');
    expect(await status()).toBe('IN_PROGRESS');
    await report({ stepId: step.id, status: 'COMPLETED' });
    const { run, steps } = await show(runId);
    expect(run.status).toBe('COMPLETED');
    expect(steps[0]).toMatchObject({ pollCount: 1, startedAt: step.startedAt });
    const { runId: forgotten } = await flow({ a: { pollTimeoutSeconds: 1, retryCount: 0 } });
    const view = await site.lineshaft.workflows.waitForRun(
      forgotten,
      (seen) => seen.run.endedAt !== undefined,
      {
        timeoutMs: 15_000,
      },
    );
    expect(view.steps[0]?.status).toBe('TIMED_OUT');
  });

  it('find the pending step of a ref, and keep the log that comes with them', async () => {
    const { runId, kind } = await flow({ a: {}, b: {} });
    const { workflows } = site.lineshaft;
    const { step } = await take(kind('a'));
    const log = { log: 'half way', createdTime: 17 };
    await workflows.reportByRef(runId, 'a', {
      status: 'COMPLETED',
      output: { y: 2 },
      merge: true,
      logs: [log],
    });
    expect(await workflows.logs(step.id)).toEqual([log]);
    expect((await show(runId)).steps[0]?.output).toEqual({ y: 2 });
    expect(await workflows.reportByRef(runId, 'a', { status: 'COMPLETED' })).toBeUndefined();
    expect(await workflows.reportByRef(runId, 'nothing', { status: 'COMPLETED' })).toBeUndefined();
    await expect(workflows.reportByRef(randomUUID(), 'a', { status: 'COMPLETED' })).rejects.toMatchObject({
      code: 'RUN_NOT_FOUND',
    });
  });

  it('go to the domain for which somebody polls', async () => {
    const { workflows } = site.lineshaft;
    const other = site.other();
    const kindOfAll = freshName('kind');
    await other.workflows.poll({ kind: kindOfAll, domain: 'x', workerId: 'w', count: 1, timeoutMs: 0 });
    await until(
      'the other server has said so',
      async () => (await workflows.pollRecords(kindOfAll)).length > 0,
    );
    const name = freshName('flow');
    const tasks = [{ name: kindOfAll, taskReferenceName: 'a', type: 'SIMPLE' }];
    await workflows.putWorkflow({ name, version: 1, tasks }, { overwrite: false });
    const active = await workflows.start({ name, taskToDomain: { [kindOfAll]: 'x,y' } });
    expect((await show(active)).steps[0]?.domain).toBe('x');
    const nobody = await workflows.start({ name, taskToDomain: { '*': 'u, NO_DOMAIN' } });
    expect((await show(nobody)).steps[0]?.domain).toBeUndefined();
    const last = await workflows.start({ name, taskToDomain: { '*': 'u,v' } });
    expect((await show(last)).steps[0]?.domain).toBe('v');
    await take(kindOfAll, site.lineshaft, 'x');
    await take(kindOfAll, other, 'v');
  });

  it('bring runs to their end, each step once, with eight workers on three servers under a limit', async () => {
    const name = freshName('flow');
    const kinds = ['one', 'two', 'three'].map((step) => `${name}.${step}`);
    const { workflows } = site.lineshaft;
    await workflows.putTask({ name: kinds[1] ?? '', concurrentExecLimit: 2 });
    const tasks = kinds.map((kind, n) => ({ name: kind, taskReferenceName: `s${n}`, type: 'SIMPLE' }));
    await workflows.putWorkflow({ name, version: 1, tasks }, { overwrite: false });
    const servers = [site.lineshaft, site.other(), site.other()];
    const runs = await Promise.all(
      Array.from({ length: 40 }, (_, n) => servers[n % 3]?.workflows.start({ name })),
    );
    const done = new Set<string>();
    let busy = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 8 }, async (_, n) => {
        const of = servers[n % 3] ?? site.lineshaft;
        const kind = kinds[n % 3] ?? '';
        while (done.size < runs.length * 3) {
          const polled = await of.workflows.poll({ kind, workerId: `w${n}`, count: 3, timeoutMs: 300 });
          if (n % 3 === 1) busy += polled.length;
          most = Math.max(most, busy);
          for (const { step } of polled) {
            expect(done.has(step.id)).toBe(false);
            done.add(step.id);
            if (n % 3 === 1) busy -= 1;
            await servers[(n + 1) % 3]?.workflows.report({ stepId: step.id, status: 'COMPLETED' });
          }
        }
      }),
    );
    expect(most).toBeLessThanOrEqual(2);
    for (const runId of runs) expect((await show(runId ?? '')).run.status).toBe('COMPLETED');
    for (const runId of runs) expect(await leases(runId ?? '')).toEqual([]);
    await expectNothingInUse(site);
  });
});
