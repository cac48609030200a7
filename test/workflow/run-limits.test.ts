/** Limits of how many runs of a workflow go at once, over several processes. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  keeper,
  type Lineshaft,
  type RunView,
  type WorkflowDefinition,
} from '../../packages/core/src/index.ts';
import { freshName, openSite, type Site, until, versions } from '../worker/site.ts';
import { beginning, storeAt } from './run-fixtures.ts';

type Limit = NonNullable<WorkflowDefinition['rateLimitConfig']>;

describe.each(versions)('limits of runs on PostgreSQL %s', (version) => {
  let site: Site;
  let flows: Lineshaft['workflows'];
  beforeAll(async () => {
    site = await openSite(version);
    flows = site.lineshaft.workflows;
    await site.work(await site.queue(), { handlers: { nothing: () => {} } });
  });
  afterAll(() => site?.close());

  /** Registers a workflow of one step with the same name. */
  async function register(rateLimitConfig: Limit, more: Partial<WorkflowDefinition> = {}): Promise<string> {
    const name = freshName('limited');
    await flows.putTask({ name, retryCount: 0 });
    const inputParameters = { key: '${workflow.input.key}' };
    const tasks = [{ name, taskReferenceName: 'step', type: 'SIMPLE', inputParameters }];
    const key = { rateLimitKey: '${workflow.input.key}' };
    await flows.putWorkflow(
      { name, version: 1, tasks, rateLimitConfig: { ...key, ...rateLimitConfig }, ...more },
      { overwrite: false },
    );
    return name;
  }

  const start = (name: string, key = 'k', of = flows): Promise<string> => of.start({ name, input: { key } });
  const view = (id: string): Promise<RunView> => flows.show(id);
  const begun = (id: string): Promise<RunView> =>
    flows.waitForRun(id, ({ steps }) => steps.length > 0, { timeoutMs: 20_000 });

  /** Takes the step of a run that has begun, and ends it. */
  async function finish(name: string, status: 'COMPLETED' | 'FAILED' = 'COMPLETED'): Promise<string> {
    const [polled] = await flows.poll({ kind: name, workerId: 'w', count: 1, timeoutMs: 15_000 });
    if (polled === undefined) throw new Error('no step came');
    await flows.report({ stepId: polled.step.id, status });
    return polled.run.id;
  }

  async function expectNothingHeld(name: string): Promise<void> {
    const slots = await site.rows('select run_id from lineshaft.run_slot where workflow = $1', [name]);
    expect(slots).toEqual([]);
    const held = await site.rows('select key from lineshaft.run_limit where workflow = $1 and held > 0', [
      name,
    ]);
    expect(held).toEqual([]);
  }

  it('holds over three processes, first come first served, and a key does not wait for another', async () => {
    const name = await register({ concurrentExecLimit: 3 });
    const servers = [site.lineshaft, site.other(), site.other()];
    const now = new Map<string, number>();
    let most = 0;
    await site.work('workflow', {
      slots: 20,
      handlers: {
        [name]: async ({ key }: { key: string }) => {
          const under = (now.get(key) ?? 0) + 1;
          now.set(key, under);
          most = Math.max(most, under);
          await new Promise((resolve) => setTimeout(resolve, 3));
          now.set(key, (now.get(key) ?? 0) - 1);
          return {};
        },
      },
    });
    const runs = await Promise.all(
      Array.from({ length: 60 }, (_, n) =>
        (servers[n % 3] ?? site.lineshaft).workflows.start({
          name,
          input: { key: `k${n % 2}` },
        }),
      ),
    );
    for (const id of runs) {
      const { run } = await flows.waitForRun(id, (each) => each.run.endedAt !== undefined, {
        timeoutMs: 30_000,
      });
      expect(run.status).toBe('COMPLETED');
    }
    expect(most).toBe(3);
    await expectNothingHeld(name);
    await site.rest();
    await site.work(await site.queue(), { handlers: { nothing: () => {} } });
  });

  it('shows a run that waits as RUNNING without steps, and begins the oldest when one ends', async () => {
    const name = await register({ concurrentExecLimit: 1 });
    const first = await start(name);
    await begun(first);
    const second = await start(name);
    const third = await start(name);
    const other = await start(name, 'another key');
    await begun(other);
    for (const id of [second, third]) {
      const { run, steps } = await view(id);
      expect(run).toMatchObject({ status: 'RUNNING', limited: { key: 'k', waits: true } });
      expect(steps).toEqual([]);
    }
    const order: string[] = [];
    for (let n = 0; n < 4; n += 1) order.push(await finish(name));
    expect(order.filter((id) => id !== other)).toEqual([first, second, third]);
    await until('all have ended', async () => (await view(third)).run.status === 'COMPLETED');
    await expectNothingHeld(name);
  });

  it('refuses where it is to refuse, and starts nothing', async () => {
    const name = await register({ concurrentExecLimit: 1, policy: 'REJECT' });
    const first = await start(name);
    const refused = { code: 'RUN_LIMITED', category: 'limit', retryable: true };
    await expect(start(name)).rejects.toMatchObject(refused);
    const many = await Promise.allSettled([
      start(name),
      start(name),
      start(name, 'free'),
      start(name, 'free'),
    ]);
    expect(many.map(({ status }) => status).sort()).toEqual([
      'fulfilled',
      'rejected',
      'rejected',
      'rejected',
    ]);
    expect(await flows.running(name)).toHaveLength(2);
    await finish(name);
    await finish(name);
    await until('it has ended', async () => (await view(first)).run.status === 'COMPLETED');
    const again = await start(name);
    await expect(flows.restart(first)).rejects.toMatchObject(refused);
    expect((await view(first)).run.status).toBe('COMPLETED');
    await flows.terminate(again);
    await flows.restart(first);
    await begun(first);
    await flows.terminate(first);
    await expectNothingHeld(name);
  });

  it('counts a run that is paused; one that is terminated, removed or timed out gives its place back', async () => {
    const name = await register({ concurrentExecLimit: 1 });
    const first = await start(name);
    await begun(first);
    const line = [await start(name), await start(name), await start(name), await start(name)];
    await flows.pause(first);
    // It goes on to its end, and the run does not: the place is still taken.
    await finish(name);
    expect((await view(line[0] ?? '')).steps).toEqual([]);
    await flows.resume(first);
    await begun(line[0] ?? '');
    await flows.terminate(line[1] ?? '');
    await flows.terminate(line[0] ?? '');
    await begun(line[2] ?? '');
    await flows.remove(line[2] ?? '');
    await begun(line[3] ?? '');
    await flows.terminate(line[3] ?? '');
    await expectNothingHeld(name);

    const brief = await register(
      { concurrentExecLimit: 1 },
      { timeoutSeconds: 1, timeoutPolicy: 'TIME_OUT_WF' },
    );
    const late = await start(brief);
    const next = await start(brief);
    await flows.waitForRun(next, ({ run }) => run.endedAt !== undefined, { timeoutMs: 20_000 });
    expect((await view(late)).run.status).toBe('TIMED_OUT');
    expect((await view(next)).run.status).toBe('TIMED_OUT');
    await expectNothingHeld(brief);
  });

  it('lets what is retried, restarted and rerun wait behind those that stand in line', async () => {
    const name = await register({ concurrentExecLimit: 1 });
    const first = await start(name);
    await finish(name, 'FAILED');
    await until('it has failed', async () => (await view(first)).run.status === 'FAILED');
    const second = await start(name);
    await begun(second);
    await flows.retry(first);
    expect(await view(first)).toMatchObject({
      run: { status: 'RUNNING', limited: { waits: true } },
      steps: [{ status: 'FAILED' }],
    });
    expect(await finish(name)).toBe(second);
    expect(await finish(name)).toBe(first);
    await until('it is complete', async () => (await view(first)).run.status === 'COMPLETED');
    expect((await view(first)).steps.map(({ status }) => status)).toEqual(['FAILED', 'COMPLETED']);

    const third = await start(name);
    await begun(third);
    await flows.rerun(first, {});
    await flows.restart(second);
    expect((await view(first)).steps).toEqual([]);
    expect(await finish(name)).toBe(third);
    expect(await finish(name)).toBe(first);
    expect(await finish(name)).toBe(second);
    await until('all have ended', async () => (await view(second)).run.status === 'COMPLETED');
    await expectNothingHeld(name);
  });

  it('fails the step whose run finds no room, and lets it wait where it may', async () => {
    const strict = await register({ concurrentExecLimit: 1, policy: 'REJECT' });
    const outer = freshName('outer');
    const tasks = [
      {
        name: 'sub',
        taskReferenceName: 'sub',
        type: 'SUB_WORKFLOW',
        subWorkflowParam: { name: strict, version: 1 },
      },
    ];
    await flows.putWorkflow({ name: outer, version: 1, tasks }, { overwrite: false });
    const held = await start(strict, 'null');
    await begun(held);
    const failed = await flows.start({ name: outer });
    const { run } = await flows.waitForRun(failed, (each) => each.run.endedAt !== undefined, {
      timeoutMs: 20_000,
    });
    expect(run.status).toBe('FAILED');
    expect(run.reason).toMatch(/may have one run under way/);
    await flows.terminate(held);
    await expectNothingHeld(strict);
  });

  it('loses no place where the process dies that has ended a run', async () => {
    const name = await register({ concurrentExecLimit: 1 });
    const first = await start(name);
    const { run } = await begun(first);
    const second = await start(name);
    // Written as a turn writes it, by somebody who does nothing more.
    const store = storeAt(site.url);
    const [loaded] = await store.load(new Map([[first, 0]]));
    const before = loaded?.run ?? run;
    const after = { ...before, status: 'TERMINATED' as const, endedAt: Date.now() };
    const change = { ...beginning(after, []), before, kept: undefined };
    expect(await store.apply([change])).toEqual({ moved: [], refused: [] });
    await store.close();
    await begun(second);
    await flows.terminate(second);
    await expectNothingHeld(name);
  });

  it('forgets keys under which nothing goes', async () => {
    const name = await register({ concurrentExecLimit: 1 });
    const gone = await start(name, 'gone');
    await flows.terminate(gone);
    const here = await start(name, 'here');
    await site.rest();
    const keys = (): Promise<{ key: string }[]> =>
      site.rows('select key from lineshaft.run_limit where workflow = $1 order by key', [name]);
    expect(await keys()).toHaveLength(2);
    const worker = site.other({ plugins: [keeper({ intervalMs: 1_000 })] }).worker({
      queues: ['none'],
      signals: false,
      handlers: {},
    });
    await worker.start();
    await until('it is swept', async () => (await keys()).length === 1);
    await worker.stop();
    expect(await keys()).toEqual([{ key: 'here' }]);
    await flows.terminate(here);
    await site.work(await site.queue(), { handlers: { nothing: () => {} } });
  });

  it('costs nothing without a limit: no row, no statement', async () => {
    const name = freshName('free');
    await flows.putTask({ name, retryCount: 0 });
    const tasks = [{ name, taskReferenceName: 'step', type: 'SIMPLE' }];
    await flows.putWorkflow({ name, version: 1, tasks }, { overwrite: false });
    const id = await start(name);
    expect((await view(id)).steps).toHaveLength(1);
    expect(await site.rows('select from lineshaft.run_slot where run_id = $1', [id])).toEqual([]);
    await flows.terminate(id);
  });

  it('refuses definitions whose limit means nothing', async () => {
    const wrong = async (rateLimitConfig: unknown) => {
      const tasks = [{ name: 'a', taskReferenceName: 'a', type: 'SIMPLE' }];
      const definition = {
        name: freshName('wrong'),
        version: 1,
        tasks,
        rateLimitConfig,
      } as WorkflowDefinition;
      await expect(flows.putWorkflow(definition, { overwrite: true })).rejects.toMatchObject({
        code: 'DEFINITION_INVALID',
      });
    };
    await wrong({ concurrentExecLimit: -1 });
    await wrong({ concurrentExecLimit: 1.5 });
    await wrong({ concurrentExecLimit: 1, policy: 'DROP' });
    await wrong({ concurrentExecLimit: 1, rateLimitKey: '${other.output.x}' });
    await wrong({ concurrentExecLimit: 1, rateLimitKey: 5 });
  });
});
