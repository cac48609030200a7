/** Runs and steps are found by all that is known of them, at once. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunSearch } from '../../packages/core/src/index.ts';
import { Pool } from '../../packages/core/src/store/pool.ts';
import { Route } from '../../packages/core/src/store/session.ts';
import { bindStatements } from '../../packages/core/src/store/statements.ts';
import { RunIndexer } from '../../packages/core/src/workflow/run-indexer.ts';
import { openSite, type Site, versions } from '../worker/site.ts';
import { aRun, aStep, beginning, storeAt } from './run-fixtures.ts';

const start = 1_700_000_000_000;

/** How many of the runs are in the index of words. */
const sites = versions.flatMap((version) => [0, 13, 30].map((indexed) => ({ version, indexed })));

describe.each(sites)('PostgreSQL $version, $indexed runs indexed', ({ version, indexed }) => {
  let site: Site;
  let store: ReturnType<typeof storeAt>;
  const ids: string[] = [];
  beforeAll(async () => {
    site = await openSite(version);
    store = storeAt(site.url);
    const pool = new Pool(
      new Route({ databaseUrl: site.url, applicationName: 'test', statementTimeoutMs: 60_000 }),
    );
    const indexer = new RunIndexer({ pool, statements: bindStatements('lineshaft') });
    for (let n = 0; n < 30; n += 1) {
      const ended = n % 3 === 0 ? undefined : start + n * 1_000 + 500;
      const statuses = ['RUNNING', 'COMPLETED', 'FAILED'] as const;
      const run = aRun({
        definition: {
          name: `flow-${n % 2}`,
          version: 1 + (n % 5),
          tasks: [],
          metadata: { classifier: `c${n % 2}` },
        },
        status: statuses[n % 3] ?? 'RUNNING',
        correlationId: `corr-${Math.floor(n / 10)}`,
        createdAt: start + n * 1_000,
        updatedAt: ended ?? start + n * 1_000,
        endedAt: ended,
        reason: n % 3 === 2 ? `broke at station ${n}` : undefined,
        input: { order: `A-${n}`, text: 'Words that ALL have', nested: { n: [`deep${n}`] }, odd: '\0 \\ "' },
        output: n % 3 === 1 ? { result: { total: n * 1_000 } } : {},
        parent: n % 10 === 9 ? { runId: ids[0] ?? '', stepId: ids[0] ?? '' } : undefined,
      });
      const step = aStep({
        name: `work-${n % 4}`,
        type: n % 2 === 0 ? `work-${n % 4}` : 'HTTP',
        status: n % 3 === 0 ? 'SCHEDULED' : 'COMPLETED',
        scheduledAt: start + n * 1_000,
        output: { said: `hello${n}` },
      });
      await store.apply([beginning(run, [step], { jobs: [] })]);
      ids.push(run.id);
      if (n === indexed - 1) await indexer.index(1);
    }
    await pool.close();
  });
  afterAll(async () => {
    await store.close();
    await site.close();
  });

  /** The numbers of the runs that are found. */
  const find = async (search: RunSearch): Promise<number[]> => {
    const { totalHits, results } = await site.lineshaft.workflows.searchRuns(search);
    const numbers = results.map(({ id }) => ids.indexOf(id));
    if ((search.start ?? 0) === 0 && numbers.length < (search.size ?? 100))
      expect(totalHits).toBe(numbers.length);
    return numbers;
  };
  const numbers = (fits: (n: number) => boolean) =>
    Array.from({ length: 30 }, (_each, n) => 29 - n).filter(fits);

  test('by type, status, correlation id, version, time, parent and id, newest first', async () => {
    expect(await find({})).toEqual(numbers(() => true));
    expect(await find({ query: 'workflowType = flow-1' })).toEqual(numbers((n) => n % 2 === 1));
    expect(await find({ query: 'workflowType = flow*' })).toEqual(numbers(() => true));
    expect(await find({ query: 'workflowType = *_1' })).toEqual([]);
    expect(await find({ query: 'status IN (FAILED,RUNNING) AND workflowType = flow-0' })).toEqual(
      numbers((n) => n % 3 !== 1 && n % 2 === 0),
    );
    expect(await find({ query: 'status = F*' })).toEqual(numbers((n) => n % 3 === 2));
    expect(await find({ query: 'status = FAILED AND status = RUNNING' })).toEqual([]);
    expect(await find({ query: 'correlationId = corr-1' })).toEqual(numbers((n) => n >= 10 && n < 20));
    expect(await find({ query: 'version > 3 AND version < 5' })).toEqual(numbers((n) => n % 5 === 3));
    expect(await find({ query: `startTime > ${start + 5_000} AND startTime < ${start + 9_000}` })).toEqual([
      8, 7, 6,
    ]);
    expect(await find({ query: `startTime = ${start + 5_000}` })).toEqual([5]);
    expect(await find({ query: `endTime > ${start + 25_000}` })).toEqual([29, 28, 26, 25]);
    expect(await find({ query: `updateTime > ${start + 25_000} AND status = COMPLETED` })).toEqual([28, 25]);
    expect(await find({ query: `parentWorkflowId = ${ids[0]}` })).toEqual([29, 19, 9]);
    expect(await find({ query: `workflowId IN (${ids[3]},${ids[4]})` })).toEqual([4, 3]);
    expect(await find({ query: 'workflowId = none' })).toEqual([]);
    expect(await find({ topLevelOnly: true, query: 'correlationId = corr-0' })).toEqual([
      8, 7, 6, 5, 4, 3, 2, 1, 0,
    ]);
    expect(await find({ classifier: 'c1' })).toEqual(numbers((n) => n % 2 === 1));
    expect(await find({ query: 'classifier = c0' })).toEqual(numbers((n) => n % 2 === 0));
    expect(await find({ query: 'color = red' })).toEqual(numbers(() => true));
  });

  test('by words of input, output, name and reason', async () => {
    expect(await find({ freeText: 'A-7' })).toEqual([7]);
    expect(await find({ freeText: 'deep12' })).toEqual([12]);
    expect(await find({ freeText: 'words all' })).toEqual(numbers(() => true));
    expect(await find({ freeText: 'words', query: 'status = FAILED' })).toEqual(numbers((n) => n % 3 === 2));
    expect(await find({ freeText: '13000' })).toEqual([13]);
    expect(await find({ freeText: 'deep1*' })).toEqual([19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 1]);
    expect(await find({ freeText: 'station broke', query: 'correlationId = corr-2' })).toEqual([
      29, 26, 23, 20,
    ]);
    expect(await find({ freeText: 'flow-1', query: `startTime < ${start + 4_000}` })).toEqual([3, 1]);
    expect(await find({ freeText: "'; drop table x; --" })).toEqual([]);
    expect(await find({ freeText: '--- !!!' })).toEqual([]);
    expect(await find({ freeText: 'order', query: 'version = 4' })).toEqual(numbers((n) => n % 5 === 3));
    expect(await find({ freeText: 'order', query: 'workflowType = flow-1 AND status = RUNNING' })).toEqual(
      numbers((n) => n % 6 === 3),
    );
    expect(await find({ freeText: 'a-1', query: 'workflowType = flow*' })).toEqual([1]);
    expect(await find({ freeText: 'order', sort: 'startTime:ASC', size: 3, start: 1 })).toEqual([1, 2, 3]);
    expect(await find({ freeText: 'words', sort: 'endTime:DESC', size: 2 })).toEqual([29, 28]);
  });

  test('by what is known of its steps', async () => {
    expect(await find({ query: 'taskDefName = work-1' })).toEqual(numbers((n) => n % 4 === 1));
    expect(await find({ query: 'taskType = HTTP AND status = RUNNING' })).toEqual(
      numbers((n) => n % 2 === 1 && n % 3 === 0),
    );
  });

  test('in other orders, and page by page', async () => {
    expect(await find({ sort: 'startTime:ASC', size: 3 })).toEqual([0, 1, 2]);
    expect(await find({ sort: 'startTime:ASC', size: 3, start: 28 })).toEqual([28, 29]);
    expect(await find({ size: 2, start: 2 })).toEqual([27, 26]);
    expect(await find({ sort: 'endTime:DESC', size: 3 })).toEqual([29, 28, 26]);
    expect(await find({ sort: 'workflowType:DESC|startTime:ASC', size: 2 })).toEqual([1, 3]);
    expect(await find({ sort: 'color:ASC', size: 2 })).toEqual([29, 28]);
    const none = await site.lineshaft.workflows.searchRuns({ size: 0 });
    expect(none).toEqual({ totalHits: 30, results: [] });
  });

  test('steps, by what is known of them and of their runs', async () => {
    const findSteps = async (search: RunSearch): Promise<number[]> => {
      const { results } = await site.lineshaft.workflows.searchSteps({
        sort: 'scheduledTime:DESC',
        ...search,
      });
      return results.map(({ run }) => ids.indexOf(run.id)).toSorted((a, b) => b - a);
    };
    expect(await findSteps({})).toHaveLength(30);
    expect(await findSteps({ query: 'taskDefName = work-1' })).toEqual(numbers((n) => n % 4 === 1));
    expect(await findSteps({ query: 'taskDefName = work-2' })).toEqual(numbers((n) => n % 4 === 2));
    expect(await findSteps({ query: 'taskType = HTTP AND workflowType = flow-1' })).toEqual(
      numbers((n) => n % 2 === 1),
    );
    expect(await findSteps({ query: 'status = SCHEDULED' })).toEqual(numbers((n) => n % 3 === 0));
    expect(await findSteps({ query: `scheduledTime > ${start + 27_000}` })).toEqual([29, 28]);
    expect(await findSteps({ query: `workflowId = ${ids[4]}` })).toEqual([4]);
    expect(await findSteps({ freeText: 'hello21' })).toEqual([21]);
    expect(await findSteps({ freeText: 'hello2* http' })).toEqual([]);
    expect(await findSteps({ freeText: 'hello2* work-1' })).toEqual([29, 25, 21]);
  });

  test('what cannot be read is refused with its place', async () => {
    await expect(site.lineshaft.workflows.searchRuns({ query: 'status FAILED' })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      details: { field: 'query' },
    });
  });
});
