/** Several processes at one large run: each reads what the others have changed, and not the whole run again. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Run, Step } from '../../packages/core/src/domain/workflow/run.ts';
import { bindStatements } from '../../packages/core/src/store/statements.ts';
import type { LoadedRun, RunStore } from '../../packages/core/src/workflow/run-store.ts';
import { openSite, type Site, versions } from '../worker/site.ts';
import { aRun, aStep, beginning, further, storeAt } from './run-fixtures.ts';

const size = 2_000;

interface Plan {
  readonly 'Relation Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly Plan[];
}

describe.each(versions)('large runs on PostgreSQL %i', (version) => {
  let site: Site;
  let store: RunStore;

  beforeAll(async () => {
    site = await openSite(version);
    store = storeAt(site.url);
  });

  afterAll(async () => {
    await store?.close();
    await site?.close();
  });

  /** A run that has had so many steps, and one change more which makes it a large one. */
  async function large(): Promise<{ run: Run; steps: Step[] }> {
    const run = aRun({ nextSeq: size + 1 });
    const steps = Array.from({ length: size }, (_, n) => aStep({ seq: n + 1, ref: `a__${n}` }));
    expect(await store.apply([beginning(run, steps, { jobs: [] })])).toEqual({ moved: [], refused: [] });
    return { run: { ...run, revision: 1 }, steps };
  }

  async function change(run: Run, steps: readonly Step[], after: Partial<Run> = {}): Promise<Run> {
    expect(await store.apply([further(run, after, { steps })])).toEqual({ moved: [], refused: [] });
    return { ...run, ...after, revision: run.revision + 1 };
  }

  async function load(id: string, known: number): Promise<LoadedRun> {
    const [loaded] = await store.load(new Map([[id, known]]));
    if (loaded === undefined) throw new Error(`run ${id} is not there`);
    return loaded;
  }

  /** How many rows of steps are looked at by who knows a revision. */
  async function lookedAt(id: string, known: number): Promise<number> {
    await site.rows('set enable_seqscan = off');
    const { text } = bindStatements('lineshaft').loadRuns;
    const [row] = await site.rows<{ 'QUERY PLAN': [{ Plan: Plan }] }>(
      `explain (analyze, format json) ${text}`,
      [[id], [known], true],
    );
    const count = (plan: Plan): number => {
      const rows = plan['Actual Rows'] + (plan['Rows Removed by Filter'] ?? 0);
      const own = plan['Relation Name'] === 'step' ? rows * plan['Actual Loops'] : 0;
      return own + (plan.Plans ?? []).reduce((sum, each) => sum + count(each), 0);
    };
    const [plan] = row?.['QUERY PLAN'] ?? [];
    if (plan === undefined) throw new Error('there is no plan');
    return count(plan.Plan);
  }

  const done = (step: Step | undefined): Step => ({ ...(step ?? aStep()), status: 'COMPLETED' });

  it('reads the steps that have changed since, and looks at no others', async () => {
    const made = await large();
    const [first, second, third] = made.steps;
    let run = await change(made.run, [done(first)]);
    run = await change(run, [done(second), done(first)]);
    run = await change(run, [aStep({ seq: size + 1, ref: 'new' })], { nextSeq: size + 2 });
    run = await change(run, [], { reason: 'only the run' });
    run = await change(run, [done(third)]);
    const seqsSince = async (known: number): Promise<number[]> =>
      (await load(run.id, known)).steps.map(({ seq }) => seq);
    expect(await seqsSince(run.revision)).toEqual([]);
    expect(await seqsSince(run.revision - 1)).toEqual([3]);
    expect(await seqsSince(run.revision - 2)).toEqual([3]);
    expect(await seqsSince(run.revision - 3)).toEqual([3, size + 1]);
    expect(await seqsSince(1)).toEqual([1, 2, 3, size + 1]);
    expect(await seqsSince(0)).toHaveLength(size + 1);
    expect(await lookedAt(run.id, 1)).toBeLessThanOrEqual(10);
    expect(await lookedAt(run.id, 0)).toBeGreaterThan(size);
  });

  it('looks at all steps where it is not known which have changed', async () => {
    const made = await large();
    let run = await change(made.run, [done(made.steps[0])]);
    run = await change(run, [done(made.steps[1])]);
    await site.rows('delete from lineshaft.run_change where run_id = $1 and revision = 2', [run.id]);
    expect((await load(run.id, 1)).steps.map(({ seq }) => seq)).toEqual([1, 2]);
    expect((await load(run.id, 2)).steps.map(({ seq }) => seq)).toEqual([2]);
  });

  it('keeps the changes of the last thousand revisions, and none of a run that has ended', async () => {
    const made = await large();
    await site.rows('update lineshaft.run set revision = 2047 where id = $1', [made.run.id]);
    await site.rows(
      `insert into lineshaft.run_change (run_id, revision, seqs) select $1, n, '{}' from generate_series(2, 2047) n`,
      [made.run.id],
    );
    const run = await change({ ...made.run, revision: 2_047 }, [done(made.steps[0])]);
    const kept = () =>
      site.rows('select min(revision), max(revision) from lineshaft.run_change where run_id = $1', [run.id]);
    expect(await kept()).toEqual([{ min: 1_025, max: 2_048 }]);
    await change(run, [], { status: 'COMPLETED', endedAt: Date.now() });
    expect(await kept()).toEqual([{ min: null, max: null }]);
  });
});
