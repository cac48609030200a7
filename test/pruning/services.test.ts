/** The pruner and the re-prioritiser as services: what they do while they lead, and that their configuration is checked. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { age, kind, label, queue as queueField } from '../../packages/core/src/domain/rules.ts';
import {
  type Plugin,
  pruner,
  type ReprioritiserConfig,
  reprioritiser,
  type Worker,
} from '../../packages/core/src/index.ts';
import { openSite, openStranger, type Site, until, versions } from '../worker/site.ts';
import { finish, partitions, remembered } from './finished.ts';

const never = 86_400_000;

describe.each(versions)('the services of pruning, on PostgreSQL %i', (version) => {
  let site: Site;
  const running: Worker[] = [];
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((worker) => worker.stop()));
    await site.rest();
    await site.rows('delete from lineshaft.rise');
    await site.lineshaft.prune({ rule: age().gte(0) });
  });
  afterAll(() => site.close());

  /** A worker that runs nothing but its services. */
  async function serve(...plugins: Plugin[]): Promise<Worker> {
    const worker = site
      .other({ plugins, without: ['keeper'] })
      .worker({ queues: ['none'], signals: false, handlers: {} });
    running.push(worker);
    return worker;
  }

  /** Starts it, and resolves when its pruner has made so many passes that forgot something. */
  async function prunedBy(worker: Worker, passes = 1): Promise<number> {
    let jobs = 0;
    let seen = 0;
    worker.on('pruned', ({ pruned }) => {
      jobs += pruned;
      seen += pruned > 0 ? 1 : 0;
    });
    await worker.start();
    await until('it has pruned', () => seen >= passes);
    return jobs;
  }

  /** Where a job waits: its priority in the wide row and in the narrow one. */
  async function priorities(ids: readonly string[]): Promise<[number, number][]> {
    const rows = await site.rows<{ id: string; wide: number; narrow: number }>(
      `select j.id, j.priority as wide, coalesce(r.priority, w.priority) as narrow
      from lineshaft.job j
      left join lineshaft.ready r on r.lane = j.lane and r.priority = j.priority and r.due = j.due and r.seq = j.seq
        and r.job_id = j.id
      left join lineshaft.later w on w.due = j.due and w.seq = j.seq and w.job_id = j.id
      where j.id = any ($1)`,
      [ids],
    );
    const found = new Map(rows.map((row) => [row.id, row]));
    return ids.map((id) => [found.get(id)?.wide ?? -1, found.get(id)?.narrow ?? -1]);
  }

  function rise(more: Partial<ReprioritiserConfig> = {}): Plugin {
    return reprioritiser({ rule: kind.like('rise%'), intervalMs: never, ...more });
  }

  test('the pruner of the leader forgets what fits its rules, and drops partitions', async () => {
    const queue = await site.queue();
    for (const daysAgo of [8, 7, 1]) await finish(site, { queue, jobs: 200, daysAgo });
    const before = (await partitions(site)).length;
    const worker = await serve(pruner({ rules: [age().gt('3d'), 'kind = nothing'] }));
    expect(await prunedBy(worker)).toBe(400);
    expect(await partitions(site)).toHaveLength(before - 2);
    expect(await remembered(site, queue)).toBe(200);
  });

  test('a later pass looks only where time may have changed something, and misses nothing', async () => {
    const queue = await site.queue();
    await finish(site, { queue, jobs: 60, daysAgo: 1, batch: 20 });
    const rule = label('tenant').eq('even').and(age().gt('1h'));
    const worker = await serve(pruner({ rule, intervalMs: 1_000, batch: 20 }));
    expect(await prunedBy(worker)).toBe(30);
    expect(await remembered(site, queue)).toBe(30);
    // What finished meanwhile is met by the next pass.
    await finish(site, { queue: await site.queue(), jobs: 40, daysAgo: 0, madeHours: 30 });
    await site.rows(
      "update lineshaft.history set finished_at = now() where created_from < now() - interval '29 hours'",
    );
    const [again] = await Promise.all([
      new Promise((resolve) => worker.on('pruned', ({ pruned }) => pruned > 0 && resolve(pruned))),
    ]);
    expect(again).toBe(20);
  });

  test('bounds of queues hold without any configuration', async () => {
    const queue = await site.queue({ retention: { succeededMax: 10 } });
    await finish(site, { queue, jobs: 50, daysAgo: 1, batch: 7 });
    await prunedBy(await serve());
    expect(await remembered(site, queue)).toBe(10);
  });

  test('a pruner that was deposed changes nothing', async () => {
    const queue = await site.queue();
    await finish(site, { queue, jobs: 20, daysAgo: 1 });
    const [batch] = await site.rows<{ day: string }>("select (now() at time zone 'UTC')::date::text as day");
    const { bindStatements } = await import('../../packages/core/src/store/statements.ts');
    const { withRules } = await import('../../packages/core/src/store/rule-sql.ts');
    const { pruneHistory } = bindStatements('lineshaft');
    const values = ['2000-01-01', `${batch?.day}T00:00:00Z`, '2000-01-01', '(0,0)', 1_000, false, '999999'];
    const ruled = withRules(pruneHistory, values, [{ schema: 'lineshaft', rule: queueField.eq(queue).node }]);
    await expect(site.rows(ruled.statement.text, ruled.values)).rejects.toThrow(/term 999999 .* is over/);
    expect(await remembered(site, queue)).toBe(20);
  });

  test('jobs that wait and fit rise, once per interval, whoever leads', async () => {
    const queue = await site.queue();
    const { lineshaft } = site;
    const made = await lineshaft.enqueueMany([
      { kind: 'rise', queue },
      { kind: 'rise-later', queue, delayMs: 3_600_000 },
      { kind: 'rise', queue, priority: 3 },
      { kind: 'rise', queue, priority: 9 },
      { kind: 'stay', queue },
    ]);
    const ids = made.map(({ id }) => id);
    const raised = async (): Promise<{ worker: Worker; pruned: Promise<unknown> }> => {
      const worker = await serve(rise({ by: 3, max: 5, batch: 2 }));
      // It may come at once.
      const pruned = new Promise((resolve) => worker.once('pruned', resolve));
      await worker.start();
      return { worker, pruned };
    };
    const { worker: first } = await raised();
    await until('they rose', async () => (await priorities(ids))[0]?.[0] === 3);
    await until(
      'the turn is over',
      async () => (await site.rows('select 1 from lineshaft.rise where behind is null')).length > 0,
    );
    const risen = [
      [3, 3],
      [3, 3],
      [5, 5],
      [9, 9],
      [0, 0],
    ];
    expect(await priorities(ids)).toEqual(risen);
    await first.stop();
    // Another leads in the same interval: nothing rises again.
    const { worker: second, pruned } = await raised();
    await until('another leads', async () => {
      const [row] = await site.rows<{ leads: boolean }>(
        `select l.until > now() as leads from lineshaft.leader l join lineshaft.worker w on w.id = l.worker
        where w.worker_id = $1`,
        [second.id],
      );
      return row?.leads;
    });
    await pruned;
    expect(await priorities(ids)).toEqual(risen);
    await site.rows("update lineshaft.rise set began_at = now() - interval '2 days'");
    await second.stop();
    await raised();
    await until('they rose again', async () => (await priorities(ids))[0]?.[0] === 5);
    await lineshaft.deleteJobs(ids);
  });

  test('a job that rose is claimed before those that it has passed', async () => {
    const queue = await site.queue({ concurrency: 1 });
    const made = await site.lineshaft.enqueueMany([
      { kind: 'other', queue, payload: 'first', priority: 1 },
      { kind: 'rise', queue, payload: 'passed over' },
    ]);
    const ids = made.map(({ id }) => id);
    const worker = await serve(rise({ by: 2 }));
    await worker.start();
    await until('it rose', async () => (await priorities(ids))[1]?.[1] === 2);
    const order: unknown[] = [];
    const note = (payload: unknown): void => void order.push(payload);
    await site.work(queue, { handlers: { other: note, rise: note }, slots: 1 });
    await site.lineshaft.waitFor(ids, { timeoutMs: 10_000 });
    expect(order).toEqual(['passed over', 'first']);
  });

  test('while workers claim and others cancel, each job rises, runs once or is cancelled, and no row is left over', async () => {
    const queue = await site.queue();
    const { lineshaft } = site;
    const made = await lineshaft.enqueueMany(Array.from({ length: 1_500 }, () => ({ kind: 'rise', queue })));
    const ids = made.map(({ id }) => id);
    const runs = new Map<string, number>();
    const lifts = Array.from({ length: 3 }, (_, n) => rise({ name: `n${n}`, batch: 100, intervalMs: 1_000 }));
    const worker = await serve(...lifts);
    await worker.start();
    await site.work(queue, {
      slots: 50,
      handlers: {
        rise: async (_payload: unknown, job: { id: string }) => {
          runs.set(job.id, (runs.get(job.id) ?? 0) + 1);
          await new Promise((resolve) => setImmediate(resolve));
        },
      },
    });
    const cancelled = await lineshaft.cancel(ids.filter((_id, n) => n % 10 === 0));
    const finished = await lineshaft.waitFor(ids, { timeoutMs: 30_000 });
    expect(finished.every(({ state }) => state === 'succeeded' || state === 'cancelled')).toBe(true);
    expect([...runs.values()].every((count) => count === 1)).toBe(true);
    expect(cancelled.every(({ result }) => ['cancelled', 'running', 'finished'].includes(result))).toBe(true);
    expect(await site.rows('select 1 from lineshaft.ready union all select 1 from lineshaft.later')).toEqual(
      [],
    );
    expect(site.log.count(/reprioritiser/)).toBe(0);
    await worker.stop();
  });

  test('a job whose row somebody holds is passed over, not waited for', async () => {
    const queue = await site.queue();
    const made = await site.lineshaft.enqueueMany([
      { kind: 'rise', queue },
      { kind: 'rise', queue },
    ]);
    const ids = made.map(({ id }) => id);
    await using stranger = await openStranger(site.url);
    await stranger.query('select 1 from lineshaft.job where id = $1 for update', [ids[0]]);
    const worker = await serve(rise());
    await worker.start();
    await until('the other rose', async () => (await priorities(ids))[1]?.[0] === 1);
    expect((await priorities(ids))[0]).toEqual([0, 0]);
    await stranger.query('rollback');
    await site.lineshaft.deleteJobs(ids);
  });

  test('wrong configurations are refused with the place in them', () => {
    const refusals: [() => unknown, RegExp][] = [
      [
        () => pruner({ rule: { not: { field: 'age', op: 'gt', value: 'long' } } }),
        /rule\.not\.value must be a duration/,
      ],
      [
        () => pruner({ rules: ['state = ready'] }),
        /rules\[0\]\.value must be one of succeeded, failed, cancelled/,
      ],
      [() => pruner({ intervalMs: 5 }), /intervalMs must be a whole number from 1000 to 86400000, not 5/],
      [() => pruner({ batch: 0.5 }), /batch must be a whole number/],
      [
        () => pruner({ intervallMs: 5_000 } as object),
        /there is no option 'intervallMs'; did you mean 'intervalMs'/,
      ],
      [() => reprioritiser({} as ReprioritiserConfig), /rule must be a rule: which jobs rise/],
      [() => rise({ rule: 'finishedAge > 1m' }), /rule\.field must be a fact of jobs that wait/],
      [() => rise({ by: 0 }), /by must be a whole number from 1 to 1000/],
      [() => rise({ max: 40_000 }), /max must be a whole number from -32768 to 32767/],
      [() => rise({ name: '' }), /name must be a text of 1 to 30 characters/],
    ];
    for (const [make, message] of refusals) expect(make).toThrow(message);
  });
});
