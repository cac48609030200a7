/** Runs are found by words at once and once: while they wait to be indexed, while they are indexed, and after that. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Run } from '../../packages/core/src/domain/workflow/run.ts';
import { Pool } from '../../packages/core/src/store/pool.ts';
import { Route } from '../../packages/core/src/store/session.ts';
import { bindStatements } from '../../packages/core/src/store/statements.ts';
import { RunIndexer } from '../../packages/core/src/workflow/run-indexer.ts';
import { openSite, type Site, until, versions } from '../worker/site.ts';
import { aRun, beginning, further, storeAt } from './run-fixtures.ts';

const startedAt = 1_700_000_000_000;

describe.each(versions)('PostgreSQL %i', (version) => {
  let site: Site;
  let store: ReturnType<typeof storeAt>;
  let pool: Pool;
  let indexer: RunIndexer;
  beforeAll(async () => {
    site = await openSite(version);
    store = storeAt(site.url);
    pool = new Pool(
      new Route({ databaseUrl: site.url, applicationName: 'test', statementTimeoutMs: 60_000 }),
    );
    indexer = new RunIndexer({ pool, statements: bindStatements('lineshaft') });
  });
  afterAll(async () => {
    await pool.close();
    await store.close();
    await site.close();
  });

  const start = async (given: Partial<Run> = {}): Promise<Run> => {
    const run = aRun({ createdAt: startedAt, ...given });
    await store.apply([beginning(run, [], { jobs: [] })]);
    return { ...run, revision: 1 };
  };
  const change = async (run: Run, after: Partial<Run>): Promise<Run> => {
    await store.apply([further(run, after)]);
    return { ...run, ...after, revision: run.revision + 1 };
  };
  const end = (run: Run, output: Run['output']): Promise<Run> =>
    change(run, { status: 'COMPLETED', endedAt: run.createdAt + 1, output });
  const find = async (freeText: string, query = ''): Promise<{ hits: number; ids: string[] }> => {
    const found = await site.lineshaft.workflows.searchRuns({ freeText, query });
    return { hits: found.totalHits, ids: found.results.map(({ id }) => id) };
  };
  const isOnly = ({ id }: Run) => ({ hits: 1, ids: [id] });
  const none = { hits: 0, ids: [] };
  const segments = () => site.rows('select * from lineshaft.search_segment');

  test('a run that was indexed while it went on is found by what it ended with, and once', async () => {
    const run = await start({ input: { city: 'Torino' } });
    expect(await find('torino')).toEqual(isOnly(run));
    await indexer.index(1);
    expect(await find('torino')).toEqual(isOnly(run));
    const ended = await end(run, { road: 'Corso Francia' });
    expect(await find('torino francia')).toEqual(isOnly(run));
    expect(await find('torino', 'status = COMPLETED')).toEqual(isOnly(run));
    expect(await find('torino', 'status IN (RUNNING,PAUSED)')).toEqual(none);
    await indexer.index(1);
    expect(await find('torino francia')).toEqual(isOnly(run));
    await change(ended, { status: 'RUNNING', endedAt: undefined, input: { city: 'Milano' }, output: {} });
    expect(await find('torino')).toEqual(none);
    expect(await find('milano', 'status IN (RUNNING,PAUSED)')).toEqual(isOnly(run));
    await indexer.index(1);
    expect(await find('torino')).toEqual(none);
    expect(await find('francia')).toEqual(none);
    expect(await find('milano')).toEqual(isOnly(run));
  });

  test('reason and correlation id are found as they are now', async () => {
    const run = await start({ correlationId: 'corr-one' });
    await indexer.index(1);
    const told = await change(run, { reason: 'the belt has slipped' });
    expect(await find('slipped corr-one')).toEqual(isOnly(run));
    await indexer.index(1);
    await change(told, { correlationId: 'corr-two', reason: undefined });
    for (const when of ['before', 'after']) {
      if (when === 'after') await indexer.index(1);
      expect(await find('slipped')).toEqual(none);
      expect(await find('corr-one')).toEqual(none);
      expect(await find('corr-two')).toEqual(isOnly(run));
    }
  });

  test('a run that is removed is not counted, before the index knows and after', async () => {
    const runs = [await start({ input: { is: 'gone-1' } }), await start({ input: { is: 'gone-2' } })];
    await indexer.index(1);
    await site.lineshaft.workflows.remove(runs[0]?.id ?? '');
    expect(await find('gone')).toMatchObject({ hits: 1 });
    await indexer.index(1);
    expect(await find('gone')).toMatchObject({ hits: 1 });
    // Never indexed.
    const young = await start({ input: { is: 'gone-3' } });
    await site.lineshaft.workflows.remove(young.id);
    await indexer.index(1);
    expect(await find('gone-3')).toEqual(none);
  });

  test('a segment goes when half of it is dead, and what lives in it is found', async () => {
    const before = new Set((await segments()).map(({ id }) => id));
    const runs: Run[] = [];
    for (let n = 0; n < 4; n += 1) runs.push(await start({ input: { is: `half-${n}` } }));
    await indexer.index(1);
    const [made] = (await segments()).filter(({ id }) => !before.has(id));
    expect(made).toMatchObject({ size: 4, dead: null });
    for (const run of runs.slice(0, 2)) await end(run, {});
    await indexer.index(1);
    expect((await segments()).map(({ id }) => id)).not.toContain(made?.id);
    expect(await find('half')).toMatchObject({ hits: 4 });
    await indexer.index(1);
    expect(await find('half')).toMatchObject({ hits: 4 });
  });

  test('two that index at the same time index each run once', async () => {
    for (let n = 0; n < 20; n += 1) await start({ input: { is: 'twice' } });
    const other = new RunIndexer({ pool, statements: bindStatements('lineshaft') });
    await Promise.all([indexer.index(1), other.index(1), indexer.index(1)]);
    expect(await find('twice')).toMatchObject({ hits: 20 });
    const doubled = await site.rows(
      `select from lineshaft.search_document d join lineshaft.search_segment s on s.id = d.segment
       where s.dead is null group by d.run_id having count(*) > 1`,
    );
    expect(doubled).toEqual([]);
  });

  test('what was acknowledged is found, while others index and dissolve segments without pause', async () => {
    let over = false;
    const indexing = (async () => {
      while (!over) await indexer.index(1);
    })();
    try {
      await Promise.all(
        [0, 1, 2, 3].map(async (lane) => {
          for (let n = 0; n < 15; n += 1) {
            const run = await start({ input: { mine: `lane${lane}-${n}`, lane: `lane${lane}` } });
            expect(await find(`lane${lane}-${n}`)).toEqual(isOnly(run));
            await end(run, { done: `done${lane}-${n}` });
            expect(await find(`lane${lane}-${n} done${lane}-${n}`, 'status = COMPLETED')).toEqual(
              isOnly(run),
            );
            expect(await find(`lane${lane}`)).toMatchObject({ hits: n + 1 });
            expect((await find(`lane${lane}`)).ids).toHaveLength(n + 1);
          }
        }),
      );
    } finally {
      over = true;
      await indexing;
    }
  });

  test('the same answers from many segments as from the documents', async () => {
    const colors = ['red', 'green', 'blue', 'grey'];
    const runs: Run[] = [];
    for (let n = 0; n < 60; n += 1) {
      const definition = { name: `paint-${n % 3}`, version: 1, tasks: [] };
      const input = { tint: colors[n % 4], twice: colors[(n * 7) % 3], number: `p${n}` };
      // Their starts overlap between the segments.
      runs.push(await start({ definition, input, createdAt: startedAt + ((n * 37) % 60) * 1_000 }));
      if (n % 4 === 3) await end(runs[n] as Run, { dry: true });
      if (n % 11 === 10) await indexer.index(1);
    }
    const searches = [
      { freeText: 'red' },
      { freeText: 'red blue' },
      { freeText: 'g* p1*' },
      { freeText: 'tint', query: 'workflowType = paint-1' },
      { freeText: 'tint', query: 'workflowType IN (paint-1,paint-2) AND status = COMPLETED' },
      { freeText: 'tint', query: `startTime > ${startedAt + 9_500} AND startTime < ${startedAt + 30_000}` },
      { freeText: 'tint', query: `startTime = ${startedAt + 7_000}` },
      { freeText: 'tint', sort: 'startTime:ASC', start: 5, size: 10 },
      { freeText: 'tint', start: 17, size: 9 },
      { freeText: 'tint', sort: 'endTime:DESC', size: 7 },
      { freeText: 'tint', query: 'workflowType = paint*' },
      { freeText: 'tint', query: 'status = RUNNING' },
    ];
    const answers = async () => {
      const found = [];
      for (const search of searches) {
        const { totalHits, results } = await site.lineshaft.workflows.searchRuns(search);
        found.push({
          search,
          totalHits,
          ids: results.map(({ id }) => runs.findIndex((run) => run.id === id)),
        });
      }
      return found;
    };
    const mixed = await answers();
    await indexer.index(1);
    expect(await answers()).toEqual(mixed);
    // All of it again, from the documents.
    await site.rows('truncate lineshaft.search_segment, lineshaft.search_document, lineshaft.search_block');
    await site.rows('insert into lineshaft.search_pending (run_id) select id from lineshaft.run');
    expect(await answers()).toEqual(mixed);
    expect(mixed[0]?.totalHits).toBeGreaterThan(15);
    expect(mixed[7]?.ids).toHaveLength(10);
    await indexer.index(1);
  });

  test('a word that more runs have than are asked for the rest, with conditions that the index does not know', async () => {
    await site.rows(
      `insert into lineshaft.run_definition (hash, definition) values ('many', '{"name": "many", "version": 1, "tasks": []}')`,
    );
    await site.rows(
      `insert into lineshaft.run (id, revision, status, next_seq, updated_at, ended_at, definition, name, version, created_at)
       select lineshaft.uuid_v7(), 1, 'COMPLETED', 1, t.at, t.at, 'many', 'many', 1 + n % 3, t.at
       from generate_series(1, 12000) n, lateral (select now() - n * interval '1 s' as at) t`,
    );
    await site.rows(
      `insert into lineshaft.run_data (run_id, input, output, variables)
       select r.id, json_build_object('is', 'plenty', 'third', 'v' || r.version), '{}', '{}'
       from lineshaft.run r where r.name = 'many'`,
    );
    await site.rows(
      `insert into lineshaft.search_pending (run_id) select r.id from lineshaft.run r where r.name = 'many'`,
    );
    const { workflows } = site.lineshaft;
    for (const state of ['pending', 'indexed']) {
      if (state === 'indexed') while ((await indexer.index(1)).any);
      expect(await find('plenty')).toMatchObject({ hits: 12_000 });
      expect(await find('plenty v2', 'workflowType = many')).toMatchObject({ hits: 4_000 });
      expect(await find('plenty', 'version = 2')).toMatchObject({ hits: 4_000 });
      const deep = await workflows.searchRuns({ freeText: 'plenty', start: 11_990, size: 100 });
      expect([deep.totalHits, deep.results.length]).toEqual([12_000, 10]);
      const oldest = await workflows.searchRuns({ freeText: 'plenty', sort: 'endTime:ASC', size: 3 });
      const times = oldest.results.map(({ endedAt }) => endedAt ?? 0);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      expect(oldest.totalHits).toBe(10_000);
      expect(Date.now() - (times[0] ?? 0)).toBeGreaterThan(11_990_000);
    }
  });

  test('a worker that leads indexes without being asked', async () => {
    await site.rows(
      `insert into lineshaft.search_pending (run_id) select id from lineshaft.run, generate_series(1, 3000) limit 3000`,
    );
    await site.work(await site.queue(), { handlers: {} });
    await until('the runs are indexed', async () => {
      const [row] = await site.rows<{ n: string }>('select count(*) as n from lineshaft.search_pending');
      return Number(row?.n) < 2_048;
    });
    await site.rest();
  });
});
