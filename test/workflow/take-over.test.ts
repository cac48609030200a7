/** What one process leaves behind, another goes on with: marks, times to wake, and what two processes do at once. */

import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Run } from '../../packages/core/src/domain/workflow/run.ts';
import { isLineshaftError } from '../../packages/core/src/index.ts';
import type { RunView } from '../../packages/core/src/workflow/port.ts';
import type { RunStore } from '../../packages/core/src/workflow/run-store.ts';
import { freshName, openSite, type Site, until } from '../worker/site.ts';
import { storeAt } from './run-fixtures.ts';

describe('runs in several processes', () => {
  let site: Site;
  let store: RunStore;

  beforeAll(async () => {
    site = await openSite(18);
    store = storeAt(site.url);
  });

  afterEach(() => site.rest());

  afterAll(async () => {
    await store?.close();
    await site?.close();
  });

  async function twoSteps(): Promise<string> {
    const name = freshName('flow');
    const tasks = ['first', 'second'].map((task) => ({
      name: task,
      taskReferenceName: task,
      type: 'SIMPLE',
    }));
    await site.lineshaft.workflows.putWorkflow({ name, version: 1, tasks }, { overwrite: false });
    return name;
  }

  async function ended(runId: string): Promise<RunView> {
    const view = await site.lineshaft.workflows.waitForRun(runId, ({ run }) => run.endedAt !== undefined, {
      timeoutMs: 20_000,
    });
    expect(view.run.endedAt, view.run.status).toBeDefined();
    return view;
  }

  const handlers = { first: () => ({ n: 1 }), second: () => ({ n: 2 }) };

  /** As a process leaves it that dies when a step has ended and its mark is written. */
  async function endFirstStep(run: Run): Promise<void> {
    const { steps } = await site.lineshaft.workflows.show(run.id);
    const stepId = steps[0]?.id ?? '';
    await site.rows(
      `with gone as (delete from lineshaft.ready where job_id = $1), job as (delete from lineshaft.job where id = $1)
       insert into lineshaft.mark (run_id, step_id, event) values ($2, $1, $3)`,
      [stepId, run.id, JSON.stringify({ type: 'reported', stepId, status: 'COMPLETED', output: { n: 1 } })],
    );
  }

  it('goes on with a run whose process died between the end of a step and the next', async () => {
    const runId = await site.lineshaft.workflows.start({ name: await twoSteps() });
    const { run } = await site.lineshaft.workflows.show(runId);
    await endFirstStep(run);
    await site.work('workflow', { handlers });
    const { run: done, steps } = await ended(runId);
    expect(done.status).toBe('COMPLETED');
    expect(steps.map(({ status, output }) => [status, output])).toEqual([
      ['COMPLETED', { n: 1 }],
      ['COMPLETED', { n: 2 }],
    ]);
    expect(await site.rows('select from lineshaft.mark where run_id = $1', [runId])).toEqual([]);
  });

  it('decides once although two processes know of the same mark', async () => {
    const name = await twoSteps();
    const others = [site.lineshaft, site.other(), site.other()];
    const ids = await Promise.all(Array.from({ length: 20 }, () => site.lineshaft.workflows.start({ name })));
    for (const id of ids) await endFirstStep((await site.lineshaft.workflows.show(id)).run);
    await Promise.all(others.flatMap((each) => ids.map((id) => each.workflows.decide(id))));
    for (const id of ids) {
      const { steps } = await site.lineshaft.workflows.show(id);
      expect(steps.map(({ ref, status }) => [ref, status])).toEqual([
        ['first', 'COMPLETED'],
        ['second', 'SCHEDULED'],
      ]);
    }
    const jobs = await site.rows(
      'select j.id from lineshaft.job j join lineshaft.step s on s.id = j.id where s.run_id = any ($1::uuid[])',
      [ids],
    );
    expect(jobs).toHaveLength(20);
  });

  it('does each iteration of a loop once, whichever process goes on', async () => {
    const name = freshName('flow');
    const body = { name: 'first', taskReferenceName: 'body', type: 'SIMPLE' };
    const loop = {
      name: 'loop',
      taskReferenceName: 'loop',
      type: 'DO_WHILE',
      loopCondition: "$.loop['iteration'] < 6",
      loopOver: [body],
    };
    await site.lineshaft.workflows.putWorkflow({ name, version: 1, tasks: [loop] }, { overwrite: false });
    await site.work('workflow', { handlers });
    const second = site.other().worker({ signals: false, queues: ['workflow'], handlers });
    onTestFinished(() => second.stopNow());
    await second.start();
    const ids = await Promise.all(Array.from({ length: 30 }, () => site.lineshaft.workflows.start({ name })));
    for (const id of ids) {
      const { steps } = await ended(id);
      expect(steps.map(({ ref }) => ref)).toEqual([
        'loop',
        ...[1, 2, 3, 4, 5, 6].map((iteration) => `body__${iteration}`),
      ]);
    }
  });

  it('ends a wait when its time has come, though who started it is gone', async () => {
    const name = freshName('flow');
    const wait = {
      name: 'wait',
      taskReferenceName: 'w',
      type: 'WAIT',
      inputParameters: { duration: '1 seconds' },
    };
    await site.lineshaft.workflows.putWorkflow({ name, version: 1, tasks: [wait] }, { overwrite: false });
    const gone = site.other();
    const runId = await gone.workflows.start({ name });
    await gone.close();
    await site.work('workflow', { handlers });
    expect((await ended(runId)).run.status).toBe('COMPLETED');
  });

  it('gives the step of a worker that died to another, as the same step', async () => {
    const runId = await site.lineshaft.workflows.start({ name: await twoSteps() });
    const dead = site.other();
    const held = new Set<string>();
    const worker = dead.worker({
      signals: false,
      queues: ['workflow'],
      leaseMs: 60_000,
      heartbeatMs: 20_000,
      handlers: {
        first: (_: unknown, job) => {
          // It lives after all, and may be the one that is given the step again.
          if (held.has(job.id)) return { n: 1 };
          held.add(job.id);
          return new Promise(() => {});
        },
      },
    });
    onTestFinished(() => worker.stopNow());
    await worker.start();
    await until('it has the step', () => held.size === 1);
    // It is not heard of any more.
    await site.rows(
      `update lineshaft.worker set lease_until = now() - interval '1 hour', lease_ms = 100 where worker_id = $1`,
      [worker.id],
    );
    await site.work('workflow', { handlers, leaseMs: 1_000, heartbeatMs: 300 });
    const { run, steps } = await ended(runId);
    expect(run.status).toBe('COMPLETED');
    expect(steps.map(({ id }) => id)).toContain([...held][0]);
    expect(steps).toHaveLength(2);
  });

  it('lives through a lost connection to the database', async () => {
    const name = await twoSteps();
    await site.work('workflow', { handlers });
    const ids: string[] = [];
    for (let n = 0; n < 10; n += 1) {
      const id = await site.lineshaft.workflows.start({ name }).catch((error: unknown) => {
        // Whoever calls hears of it, and decides for himself.
        if (!isLineshaftError(error, 'DATABASE_UNAVAILABLE')) throw error;
        return undefined;
      });
      if (id !== undefined) ids.push(id);
      if (n % 3 === 1)
        await site.rows(
          `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'lineshaft'`,
        );
    }
    expect(ids.length).toBeGreaterThan(0);
    for (const id of ids) expect((await ended(id)).run.status).toBe('COMPLETED');
  });
});
