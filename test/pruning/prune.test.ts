/** Forgetting finished jobs: by rule, by number, in whole partitions and out of the middle of batches. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  age,
  finishedAge,
  kind,
  label,
  queue as queueField,
  size,
  state,
} from '../../packages/core/src/domain/rules.ts';
import type { JobView } from '../../packages/core/src/index.ts';
import { openSite, openStranger, type Site, until, versions } from '../worker/site.ts';
import { finish, partitions, remembered } from './finished.ts';

describe.each(versions)('pruning, on PostgreSQL %i', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterEach(async () => {
    await site.rest();
    await site.lineshaft.prune({ rule: age().gte(0) });
  });
  afterAll(() => site.close());

  const handlers = {
    one: () => 1,
    two: () => 2,
    fail: () => {
      throw new Error('no');
    },
  };

  async function show(id: string): Promise<JobView | undefined> {
    return await site.lineshaft.showJob(id).catch(() => undefined);
  }

  test('a rule that covers whole partitions drops them, and deletes nothing in them', async () => {
    const queue = await site.queue();
    const other = await site.queue();
    for (const daysAgo of [9, 8, 7]) await finish(site, { queue, jobs: 300, daysAgo });
    await finish(site, { queue: other, jobs: 100, daysAgo: 7 });
    await finish(site, { queue, jobs: 200, daysAgo: 3 });
    const before = await partitions(site);
    const report = await site.lineshaft.prune({ rule: finishedAge().gt('5d').and(queueField.eq(queue)) });
    const after = await partitions(site);
    const dropped = before.filter((name) => !after.includes(name));
    expect(dropped).toHaveLength(2);
    expect(report).toMatchObject({ pruned: 900, rewritten: 0, partitions: dropped });
    expect(await remembered(site, queue)).toBe(200);
    expect(await remembered(site, other)).toBe(100);
  });

  test('a partition is never dropped under a long reader, and pruning goes on when he has gone', async () => {
    const queue = await site.queue();
    for (const daysAgo of [8, 7]) await finish(site, { queue, jobs: 100, daysAgo });
    const rule = finishedAge().gt('5d');
    const before = await partitions(site);
    {
      await using reader = await openStranger(site.url);
      await reader.query('set transaction isolation level repeatable read');
      const seen = await reader.query('select count(*) from lineshaft.history');
      expect(await site.lineshaft.prune({ rule })).toMatchObject({ pruned: 0, partitions: [] });
      expect(await site.rows('select 1 from pg_inherits where inhdetachpending')).toHaveLength(1);
      expect((await reader.query('select count(*) from lineshaft.history')).rows).toEqual(seen.rows);
    }
    expect((await site.lineshaft.prune({ rule })).pruned).toBe(100);
    const after = await partitions(site);
    expect(before.filter((name) => !after.includes(name))).toHaveLength(2);
  });

  test('who prunes beside another gets no error, and all goes once', async () => {
    const queue = await site.queue();
    for (const daysAgo of [9, 8, 7, 6]) await finish(site, { queue, jobs: 100, daysAgo });
    await finish(site, { queue, jobs: 100, daysAgo: 1 });
    const rule = finishedAge().gt('1h');
    const reports = await Promise.all([1, 2, 3].map(() => site.lineshaft.prune({ rule, batch: 10 })));
    reports.push(await site.lineshaft.prune({ rule }));
    expect(reports.reduce((sum, { pruned }) => sum + pruned, 0)).toBe(500);
    expect(await remembered(site, queue)).toBe(0);
  });

  test('a rule over the age since creation drops a partition by what its batches say of themselves', async () => {
    const queue = await site.queue();
    await finish(site, { queue, jobs: 50, daysAgo: 6, madeHours: 24 });
    await finish(site, { queue, jobs: 50, daysAgo: 5, madeHours: 1 });
    const report = await site.lineshaft.prune({ rule: age().gt('6d') });
    expect(report.pruned).toBe(50);
    expect(report.partitions).toHaveLength(1);
    expect(await remembered(site, queue)).toBe(50);
  });

  test('part of a batch goes, and what is left is written right: ids, lanes, lines, spans', async () => {
    const queue = await site.queue();
    const ids = await finish(site, {
      queue,
      jobs: 120,
      batch: 40,
      daysAgo: 4,
      kinds: ['one', 'two', 'three'],
    });
    const report = await site.lineshaft.prune({
      rule: kind.in(['one', 'three']).and(label('tenant').eq('even')),
    });
    expect(report).toMatchObject({ pruned: 40, rewritten: 3, partitions: [] });
    const rows = await site.rows<{ ids: string[]; lanes: number[]; entries: string; right: boolean }>(
      `select h.ids, h.lanes, h.entries, h.jobs = cardinality(h.ids)
        and h.created_from = (select min(timestamptz 'epoch' + (e.line::json ->> 3)::float8 * interval '1 millisecond')
          from unnest(string_to_array(h.entries, e'\\n')) as e (line))
        and lower(h.id_span) = h.ids[1] and upper(h.id_span) = h.ids[cardinality(h.ids)] as right
      from lineshaft.history h order by h.finished_at`,
    );
    const left = new Set(rows.flatMap((row) => row.ids));
    for (const row of rows) {
      expect(row.right).toBe(true);
      const lines = row.entries.split('\n').map((line) => JSON.parse(line) as unknown[]);
      expect(lines).toHaveLength(row.ids.length);
      expect(new Set(lines.map(([lane]) => lane))).toEqual(new Set(row.lanes));
      for (const [place, id] of row.ids.entries()) {
        expect(lines[place]?.[7]).toEqual({ n: ids.indexOf(id) + 1 });
      }
    }
    for (const [place, id] of ids.entries()) {
      const n = place + 1;
      expect(left.has(id)).toBe(n % 2 === 1 || (n - 1) % 3 === 1);
    }
    const [gone = '', kept = ''] = [ids[3], ids[4]];
    expect(await show(gone)).toBeUndefined();
    expect((await show(kept))?.payload).toEqual({ n: 5 });
    const [answer] = await site.lineshaft.waitFor([gone], { timeoutMs: 5_000 });
    expect(answer?.state).toBe('forgotten');
  });

  test('a batch whose jobs all fit is deleted, also where only its lines say so', async () => {
    const queue = await site.queue();
    await finish(site, { queue, jobs: 60, batch: 20, daysAgo: 1 });
    expect(
      await site.lineshaft.prune({ rule: size.lt(100).and(queueField.eq(queue)), batch: 20 }),
    ).toMatchObject({
      pruned: 60,
      rewritten: 0,
    });
    expect(await site.rows('select 1 from lineshaft.history')).toEqual([]);
  });

  test('a queue keeps at most so many finished jobs of each outcome, the newest', async () => {
    const retention = { succeededMax: 3, failedMax: 2, cancelledMax: 0 };
    const queue = await site.queue({ maxAttempts: 1, retention });
    const free = await site.queue();
    await site.work([queue, free], { handlers });
    const { lineshaft } = site;
    const ids: Record<string, string[]> = { one: [], fail: [], cancelled: [], free: [] };
    for (let n = 0; n < 8; n += 1) {
      for (const kindName of ['one', 'fail'] as const) {
        const { id } = await lineshaft.enqueue(kindName, n, { queue });
        ids[kindName]?.push(id);
        await lineshaft.waitFor([id], { timeoutMs: 10_000 });
      }
      const { id } = await lineshaft.enqueue('one', n, { queue, delayMs: 3_600_000 });
      ids['cancelled']?.push(id);
      await lineshaft.cancel([id]);
      ids['free']?.push((await lineshaft.enqueue('one', n, { queue: free })).id);
    }
    await lineshaft.waitFor(ids['free'] ?? [], { timeoutMs: 10_000 });
    expect((await lineshaft.prune()).pruned).toBe(5 + 6 + 8);
    const shown = async (name: string): Promise<boolean[]> =>
      Promise.all((ids[name] ?? []).map(async (id) => (await show(id)) !== undefined));
    expect(await shown('one')).toEqual([false, false, false, false, false, true, true, true]);
    expect(await shown('fail')).toEqual([false, false, false, false, false, false, true, true]);
    expect(await shown('cancelled')).toEqual(Array(8).fill(false));
    expect(await shown('free')).toEqual(Array(8).fill(true));
    expect((await lineshaft.prune()).pruned).toBe(0);
    await lineshaft.declare({ name: queue, retention: { succeededMax: null } });
    expect((await lineshaft.showQueue(queue)).queue.retention).toMatchObject({ failedMax: 2 });
    expect((await lineshaft.showQueue(queue)).queue.retention.succeededMax).toBeUndefined();
  });

  test('a bound cuts through a batch that finished together, and spares other queues in it', async () => {
    const queue = await site.queue({ retention: { succeededMax: 25 } });
    const ids = await finish(site, { queue, jobs: 100, batch: 20, daysAgo: 3, kinds: ['one', 'two'] });
    const other = await site.queue();
    // Every second lane is another queue's.
    await site.rows(
      `update lineshaft.lane set queue_id = (select id from lineshaft.queue where name = $1)
      where kind = 'two' and queue_id = (select id from lineshaft.queue where name = $2)`,
      [other, queue],
    );
    expect((await site.lineshaft.prune()).pruned).toBe(25);
    expect(await remembered(site, queue)).toBe(25);
    expect(await remembered(site, other)).toBe(50);
    const ofQueue = ids.filter((_id, place) => place % 2 === 0);
    expect(await show(ofQueue[24] ?? '')).toBeUndefined();
    expect(await show(ofQueue[25] ?? '')).toBeDefined();
  });

  test('what is past its time goes row by row where others keep its partition for long', async () => {
    const queue = await site.queue();
    await finish(site, { queue, jobs: 40, batch: 10, daysAgo: 5, keepDays: -1 });
    const other = await site.queue();
    await finish(site, { queue: other, jobs: 10, daysAgo: 5, outcome: 'cancelled' });
    expect(await site.lineshaft.prune()).toMatchObject({ pruned: 40, partitions: [] });
    expect(await remembered(site, other, 'cancelled')).toBe(10);
  });

  test('dead letters go by rule too', async () => {
    const queue = await site.queue({ maxAttempts: 1 });
    await site.work(queue, { handlers });
    const made = await site.lineshaft.enqueueMany(
      ['a', 'b', 'a', 'b'].map((tenant) => ({ kind: 'fail', queue, labels: { tenant } })),
    );
    const ids = made.map(({ id }) => id);
    await site.lineshaft.waitFor(ids, { timeoutMs: 10_000 });
    const rule = { and: [state.eq('failed').node, label('tenant').eq('a').node] };
    expect(await site.lineshaft.countPrunable({ rule })).toMatchObject([
      { queue, outcome: 'failed', jobs: 2 },
    ]);
    expect((await site.lineshaft.prune({ rule, batch: 1 })).pruned).toBe(2);
    const shown = await Promise.all(ids.map(async (id) => (await show(id))?.state));
    expect(shown).toEqual([undefined, 'failed', undefined, 'failed']);
    expect(await site.rows('select 1 from lineshaft.dead')).toHaveLength(2);
  });

  test('what waits or runs is never pruned', async () => {
    const queue = await site.queue();
    const { id } = await site.lineshaft.enqueue('one', null, { queue, delayMs: 3_600_000 });
    expect((await site.lineshaft.prune({ rule: age().gte(0) })).pruned).toBe(0);
    expect((await show(id))?.state).toBe('scheduled');
    await site.lineshaft.deleteJobs([id]);
  });

  test('pruning goes on while completions write, jobs are deleted and others read', async () => {
    const queue = await site.queue();
    await site.work(queue, { handlers, slots: 20 });
    let done = false;
    let pruned = 0;
    const { lineshaft } = site;
    const pruning = (async () => {
      while (!done) pruned += (await lineshaft.prune({ rule: kind.eq('one'), batch: 50 })).pruned;
    })();
    const reading = (async () => {
      while (!done) await lineshaft.listJobs({ queue, state: 'succeeded', limit: 1_000 });
    })();
    const ids: string[] = [];
    const deleted: string[] = [];
    for (let round = 0; round < 20; round += 1) {
      const made = await lineshaft.enqueueMany(
        Array.from({ length: 100 }, (_, n) => ({ kind: n % 2 === 0 ? 'one' : 'two', payload: n, queue })),
      );
      const some = made.map(({ id }) => id);
      await lineshaft.waitFor(some, { timeoutMs: 20_000 });
      const gone = [some[1] ?? '', some[51] ?? ''];
      expect(await lineshaft.deleteJobs(gone)).toMatchObject([{ result: 'deleted' }, { result: 'deleted' }]);
      deleted.push(...gone);
      ids.push(...some.filter((id, n) => n % 2 === 1 && !gone.includes(id)));
    }
    done = true;
    await Promise.all([pruning, reading]);
    pruned += (await lineshaft.prune({ rule: kind.eq('one') })).pruned;
    expect(pruned).toBe(1_000);
    const left = await site.rows<{ id: string }>(
      "select unnest(h.ids) as id from lineshaft.history h where h.finished_at > now() - interval '1 day'",
    );
    expect(left.map(({ id }) => id).sort()).toEqual([...ids].sort());
    for (const id of ids.slice(0, 50)) expect((await show(id))?.kind).toBe('two');
    for (const id of deleted.slice(0, 5)) expect(await show(id)).toBeUndefined();
  });

  test('a batch that somebody holds is left for the next pass', async () => {
    const queue = await site.queue();
    await finish(site, { queue, jobs: 20, batch: 10, daysAgo: 1 });
    {
      await using stranger = await openStranger(site.url);
      await stranger.query('select 1 from lineshaft.history order by finished_at limit 1 for update');
      expect((await site.lineshaft.prune({ rule: queueField.eq(queue) })).pruned).toBe(10);
    }
    expect((await site.lineshaft.prune({ rule: queueField.eq(queue) })).pruned).toBe(10);
  });

  test('a count changes nothing, and says what would go by queue and outcome', async () => {
    const queue = await site.queue();
    const other = await site.queue();
    await finish(site, { queue, jobs: 30, daysAgo: 6 });
    await finish(site, { queue, jobs: 30, daysAgo: 2 });
    await finish(site, { queue: other, jobs: 10, daysAgo: 6, outcome: 'cancelled' });
    const seen: number[] = [];
    const groups = await site.lineshaft.countPrunable({
      rule: finishedAge().gt('4d'),
      batch: 25,
      onProgress: ({ seen: jobs, total }) => seen.push(jobs / total),
    });
    expect(groups.map((group) => [group.queue, group.outcome, group.jobs])).toEqual([
      [queue, 'succeeded', 30],
      [other, 'cancelled', 10],
    ]);
    expect(seen.at(-1)).toBeCloseTo(40 / 70);
    expect(await remembered(site, queue)).toBe(60);
  });

  test('wrong rules are refused with the place, before anything is forgotten', async () => {
    const { lineshaft } = site;
    const queue = await site.queue();
    await finish(site, { queue, jobs: 10, daysAgo: 6 });
    const refusals: [object, RegExp][] = [
      [
        { rule: { and: [{ field: 'age', op: 'gt', value: '3 dys' }] } },
        /rule\.and\[0\]\.value must be a duration/,
      ],
      [
        { rules: ['age > 1d', 'quue = mail'] },
        /rules\[1\], column 1: there is no field 'quue'; did you mean 'queue'/,
      ],
      [{ rule: 'state = ready' }, /rule\.value must be one of succeeded, failed, cancelled/],
      [{ rule: 'priority > 3' }, /rule\.field must be a fact of jobs that have finished/],
      [{ rule: 'age > 0ms', rules: [] }, /rules must be left out, as 'rule' is given/],
      [{ rule: 'age > 0ms', batch: 0 }, /batch must be a whole number from 1 to 100000/],
      [{ rul: 'age > 0ms' }, /there is no option 'rul'; did you mean 'rule'/],
    ];
    for (const [options, message] of refusals) {
      await expect((async () => lineshaft.prune(options))()).rejects.toThrow(message);
    }
    expect(await remembered(site, queue)).toBe(10);
  });

  test('deleting a finished job frees the unique key that it kept', async () => {
    const queue = await site.queue();
    await site.work(queue, { handlers });
    const { lineshaft } = site;
    const unique = { key: 'kept', states: ['succeeded' as const], keepMs: 3_600_000 };
    const enqueue = async (): Promise<{ id: string; result: string }> =>
      await lineshaft.enqueue('one', null, { queue, unique });
    const first = await enqueue();
    const beside = await lineshaft.enqueueMany([
      { kind: 'one', queue },
      { kind: 'one', queue },
    ]);
    await lineshaft.waitFor([first.id, ...beside.map(({ id }) => id)], { timeoutMs: 10_000 });
    expect((await enqueue()).id).toBe(first.id);
    expect(await lineshaft.deleteJobs([first.id])).toEqual([{ id: first.id, result: 'deleted' }]);
    const second = await enqueue();
    expect(second.id).not.toBe(first.id);
    await until('it has run', async () => (await show(second.id))?.state === 'succeeded');
  });
});
