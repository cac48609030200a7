/**
 * Statements are planned once, perhaps while the tables are all but empty and the planner knows it. What they look up by id must be
 * looked up by id whatever it takes the tables for: else a burst that comes upon an idle worker is read as often as it has rows.
 */

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Route, Session } from '../../packages/core/src/store/session.ts';
import { type BoundStatements, bindStatements } from '../../packages/core/src/store/statements.ts';
import { createDatabase } from '../../packages/core/src/testing/server.ts';
import { openSiteAt, type Site, versions } from '../worker/site.ts';

const lookedUp = [
  'claimLane',
  'claimLanes',
  'claimEach',
  'claimLeft',
  'complete',
  'completeKeyed',
  'completeSteps',
  'completeStepsKeyed',
  'forget',
  'forgetKeyed',
  'settle',
  'settleKeyed',
  'finishedJobs',
  'loadInputs',
  'loadRuns',
  'loadSteps',
] as const satisfies readonly (keyof BoundStatements)[];
const tables = ['job', 'ready', 'lease', 'step', 'run', 'run_data'];

describe.each(versions)('plans made while the tables are empty, on PostgreSQL %i', (version) => {
  let site: Site;
  let session: Session;
  let statements: BoundStatements;

  beforeAll(async () => {
    const url = await createDatabase(inject(version === 15 ? 'postgres15' : 'postgres18'));
    site = await openSiteAt(url);
    statements = bindStatements('lineshaft');
    session = new Session(
      new Route({ databaseUrl: url, applicationName: 'plans', statementTimeoutMs: 60_000 }),
      'hot',
    );
    // Pages without rows: the planner believes the count, as after a night without work.
    const { lineshaft } = site;
    const flow = {
      name: 'flow',
      version: 1,
      tasks: [{ name: 'one', taskReferenceName: 'one', type: 'SIMPLE' }],
    };
    await lineshaft.workflows.putWorkflow(flow, { overwrite: false });
    for (let n = 0; n < 20; n += 1) await lineshaft.workflows.start({ name: 'flow', input: {} });
    await lineshaft.enqueueMany(Array.from({ length: 200 }, () => ({ kind: 'any', payload: {} })));
    for (const table of tables) await site.rows(`delete from lineshaft.${table}`);
    await site.rows('analyze');
  });
  afterAll(async () => {
    await session.close();
    await site.close();
  });

  it.each(lookedUp)('%s', async (key) => {
    const { text } = statements[key];
    const most = Math.max(...[...text.matchAll(/\$(\d+)/g)].map(([, n]) => Number(n)));
    const name = `of_${key.toLowerCase()}`;
    const nulls = Array.from({ length: most }, () => 'null').join(', ');
    await session.query({ name: '', text: `prepare ${name} as ${text}` });
    const rows = await session.query({ name: '', text: `explain (costs off) execute ${name}(${nulls})` });
    expect(scansOfAll(rows.map(([line]) => line ?? ''))).toEqual([]);
  });
});

/** Scans of a table of the hot path that have no condition on an index or a place. */
function scansOfAll(plan: readonly string[]): string[] {
  const found: string[] = [];
  for (const [n, line] of plan.entries()) {
    const table = /Scan(?: using \w+)? on (\w+)/.exec(line)?.[1];
    if (table === undefined || !tables.includes(table)) continue;
    const end = plan.findIndex((later, m) => m > n && /->|^ *(CTE|InitPlan|SubPlan) /.test(later));
    const details = plan.slice(n + 1, end === -1 ? undefined : end);
    if (!details.some((detail) => /(Index|TID|Recheck) Cond:/.test(detail))) found.push(line.trim());
  }
  return found;
}

it('no function of the database joins the rows that it changes with its arguments: it finds them by id or by place', async () => {
  const folder = join(import.meta.dirname, '../../packages/core/sql/migrations');
  const joined: string[] = [];
  for (const file of await readdir(folder)) {
    const text = (await readFile(join(folder, file), 'utf8')).replaceAll(/--.*$/gm, '');
    for (const [change] of text.matchAll(/\b(update|delete from) lineshaft\.[^;]*?(?=;|\breturning\b)/g)) {
      if (
        /\b(from|using)\s+(unnest|rows from|json_to_recordset)\b/.test(change) &&
        !/\bctid\b|\b(id|job_id|run_id) = any \(/.test(change)
      )
        joined.push(`${file}: ${change.slice(0, 80)}`);
    }
  }
  expect(joined).toEqual([]);
});
