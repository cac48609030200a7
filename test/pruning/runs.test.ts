/** Runs of workflows that have ended are forgotten by age and by number, with all that belongs to them. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Lineshaft, pruner, type WorkflowDefinition } from '../../packages/core/src/index.ts';
import { freshName, openSite, type Site, until, versions } from '../worker/site.ts';

const hour = 3_600_000;

describe.each(versions)('pruning of runs, on PostgreSQL %i', (version) => {
  let site: Site;
  let flows: Lineshaft['workflows'];
  beforeAll(async () => {
    site = await openSite(version);
    flows = site.lineshaft.workflows;
  });
  afterEach(async () => {
    await site.rest();
    await site.rows('select lineshaft.remove_run(r.id) from lineshaft.run r');
  });
  afterAll(() => site.close());

  async function register(retention?: object): Promise<string> {
    const name = freshName('kept');
    const tasks = [{ name: 'one', taskReferenceName: 'one', type: 'SIMPLE' }];
    const metadata = retention === undefined ? {} : { metadata: { 'lineshaft.retention': retention } };
    const definition = { name, version: 1, tasks, ...metadata } as WorkflowDefinition;
    await flows.putWorkflow(definition, { overwrite: true });
    return name;
  }

  /** Runs that ended so many hours ago each, and began an hour before. */
  async function ended(name: string, hoursAgo: readonly number[]): Promise<string[]> {
    const ids: string[] = [];
    for (const hours of hoursAgo) {
      const id = await flows.start({ name });
      await flows.terminate(id);
      await site.rows(
        `update lineshaft.run set ended_at = now() - $2 * interval '1 hour', created_at = now() - ($2 + 1) * interval '1 hour'
        where id = $1`,
        [id, hours],
      );
      ids.push(id);
    }
    return ids;
  }

  const left = async (name: string): Promise<string[]> =>
    (
      await site.rows<{ id: string }>(
        'select id from lineshaft.run where name = $1 order by created_at desc',
        [name],
      )
    ).map(({ id }) => id);

  test('by age: what ended too long ago goes, with its steps, documents and logs', async () => {
    const name = await register();
    const [young = '', old = '', older = ''] = await ended(name, [1, 30, 50]);
    const running = await flows.start({ name });
    await site.rows(`update lineshaft.run set created_at = now() - interval '90 hours' where id = $1`, [
      running,
    ]);
    const [step] = (await flows.show(old)).steps;
    await flows.addLog(step?.id ?? '', { log: 'a line', createdTime: 1 });
    expect((await site.lineshaft.prune()).runs).toBe(0);
    expect((await site.lineshaft.prune({ runs: { maxAgeMs: 24 * hour } })).runs).toBe(2);
    expect(await left(name)).toEqual([young, running]);
    for (const [table, column] of [
      ['step', 'run_id'],
      ['run_data', 'run_id'],
      ['mark', 'run_id'],
    ])
      expect(
        await site.rows(`select from lineshaft.${table} where ${column} = any ($1)`, [[old, older]]),
      ).toEqual([]);
    expect(await site.rows('select from lineshaft.step_log where step_id = $1', [step?.id])).toEqual([]);
  });

  test('by number: those that began last are kept, of each workflow', async () => {
    const one = await register();
    const two = await register();
    const many = await ended(one, [5, 4, 3, 2, 1]);
    const few = await ended(two, [9, 8]);
    expect((await site.lineshaft.prune({ runs: { maxCount: 2 } })).runs).toBe(3);
    expect(await left(one)).toEqual([many[4], many[3]]);
    expect(await left(two)).toEqual([few[1], few[0]]);
    expect((await site.lineshaft.prune({ runs: { maxCount: 0, maxAgeMs: 90 * hour } })).runs).toBe(4);
  });

  test('a definition says it for its runs, and may take a bound away', async () => {
    const brief = await register({ maxAgeSeconds: 3_600 });
    const counted = await register({ maxCount: 1 });
    const forever = await register({ maxAgeSeconds: null, maxCount: null });
    await ended(brief, [2, 3]);
    await ended(counted, [1, 2, 3]);
    await ended(forever, [900]);
    expect((await site.lineshaft.prune({ runs: { maxAgeMs: 500 * hour } })).runs).toBe(4);
    expect(await left(brief)).toHaveLength(0);
    expect(await left(counted)).toHaveLength(1);
    expect(await left(forever)).toHaveLength(1);
  });

  test.each([{ maxCount: -1 }, { maxCount: 1.5 }, { maxAge: 5 }, { maxAgeSeconds: '1h' }, [], 7])(
    'a definition with %j is refused',
    async (retention) => {
      await expect(register(retention as object)).rejects.toMatchObject({ code: 'DEFINITION_INVALID' });
    },
  );

  test('options that mean nothing are refused before anything is written', async () => {
    const name = await register();
    await ended(name, [9]);
    for (const runs of [{ maxCount: -1 }, { maxAgeMs: 1.5 }, { keep: 1 }, 7]) {
      await expect(site.lineshaft.prune({ runs: runs as object })).rejects.toThrow(/runs|keep/);
      expect(() => pruner({ runs: runs as object })).toThrow(/runs|keep/);
    }
    expect(await left(name)).toHaveLength(1);
  });

  test('what lies in a step of a run that goes on is kept until that has ended', async () => {
    const inner = await register();
    const outer = freshName('outer');
    const call = {
      name: 'sub',
      taskReferenceName: 'sub',
      type: 'SUB_WORKFLOW',
      subWorkflowParam: { name: inner, version: 1 },
    };
    const after = { name: 'after', taskReferenceName: 'after', type: 'HUMAN' };
    await flows.putWorkflow({ name: outer, version: 1, tasks: [call, after] }, { overwrite: true });
    const runId = await flows.start({ name: outer });
    const child = (await flows.show(runId)).steps[0]?.subRunId ?? '';
    const [step] = (await flows.show(child)).steps;
    await flows.report({ stepId: step?.id ?? '', status: 'COMPLETED' });
    await flows.waitForRun(runId, ({ steps }) => steps.length === 2, { timeoutMs: 10_000 });
    expect((await site.lineshaft.prune({ runs: { maxCount: 0 } })).runs).toBe(0);
    await flows.terminate(runId);
    expect((await site.lineshaft.prune({ runs: { maxCount: 0 } })).runs).toBe(2);
  });

  test('the pruner of the leader does it, and forgets what nobody runs any more', async () => {
    const name = await register();
    const unused = await register();
    await ended(name, [50, 40, 1]);
    await ended(unused, [60]);
    const hashes = async (): Promise<number> =>
      (
        await site.rows('select from lineshaft.run_definition d where d.definition ->> $1 in ($2, $3)', [
          'name',
          name,
          unused,
        ])
      ).length;
    expect(await hashes()).toBe(2);
    await site.rows(`update lineshaft.run_definition set created_at = now() - interval '2 hours'`);
    const worker = site
      .other({ plugins: [pruner({ runs: { maxAgeMs: 24 * hour } })], without: ['keeper'] })
      .worker({ queues: ['none'], signals: false, handlers: {} });
    let forgotten = 0;
    worker.on('pruned', ({ runs }) => {
      forgotten += runs;
    });
    await worker.start();
    await until('they are forgotten', async () => forgotten === 3 && (await hashes()) === 1);
    await worker.stop();
    expect(await left(name)).toHaveLength(1);
    expect(await left(unused)).toEqual([]);
    // The next run brings it back.
    const again = await flows.start({ name: unused });
    expect((await flows.show(again)).run.definition.name).toBe(unused);
  });

  test('goes batch by batch, and passes over a run that somebody has', async () => {
    const name = await register();
    const runs = await ended(
      name,
      Array.from({ length: 120 }, (_, n) => n + 10),
    );
    expect((await site.lineshaft.prune({ runs: { maxAgeMs: 5 * hour } })).runs).toBe(runs.length);
    expect(await left(name)).toEqual([]);
  });
});
