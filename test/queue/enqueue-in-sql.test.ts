/** `select lineshaft.enqueue(kind, payload, options)`: from any language, in any transaction. */

import type { DatabaseError } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSite, type Site, until, versions } from '../worker/site.ts';
import { type Answer, enqueueInSql, refusalInSql, type SqlCall } from './sql-call.ts';

describe.each(versions)('enqueueing in SQL, on PostgreSQL %i', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
    await site.lineshaft.declare({ name: 'mail' });
    await site.lineshaft.createProject('other');
    await site.lineshaft.declare({ name: 'mail', project: 'other' });
  });
  afterAll(() => site.close());

  const enqueue = (...of: SqlCall): Promise<Answer> => enqueueInSql(site, ...of);
  const refusal = (...of: SqlCall): Promise<DatabaseError> => refusalInSql(site, ...of);

  test('gives the id and the result; the job has the defaults of its queue', async () => {
    const { id, result } = await enqueue('greet', { name: 'Ada' });
    expect(result).toBe('new');
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    expect(await site.lineshaft.showJob(id)).toMatchObject({
      kind: 'greet',
      queue: 'default',
      state: 'ready',
      payload: { name: 'Ada' },
      priority: 0,
    });
  });

  test('as an expression it gives both; payload and options may be left out or null', async () => {
    const [row] = await site.rows<{ enqueue: string }>("select lineshaft.enqueue('greet')");
    expect(row?.enqueue).toMatch(/^\([0-9a-f-]{36},new\)$/);
    const { id } = await enqueue('greet', null, null);
    expect((await site.lineshaft.showJob(id)).payload).toEqual({});
    const nothing = { queue: null, priority: null, runAt: null, unique: null, labels: null, id: null };
    const answer = await enqueue('greet', 'null', nothing);
    expect(await site.lineshaft.showJob(answer.id)).toMatchObject({ queue: 'default', payload: 'null' });
  });

  test('a statement may enqueue for each row of a table', async () => {
    await site.rows("create table account as select n as id, 'u' || n as name from generate_series(1, 50) n");
    const rows = await site.rows<Answer>(
      `select e.* from account a
      cross join lateral lineshaft.enqueue('greet', to_jsonb(a), '{"queue": "mail"}') e`,
    );
    expect(new Set(rows.map((row) => row.id)).size).toBe(50);
  });

  test('takes every option', async () => {
    const options = {
      queue: 'mail',
      project: 'other',
      priority: 7,
      runAt: '2090-01-31T08:00:00+02:00',
      maxAttempts: 3,
      backoff: { type: 'exponential', delayMs: 100, factor: 1.5, limitMs: 1_000, jitter: 0.5 },
      unique: {
        key: 'a key',
        states: ['waiting', 'running', 'succeeded'],
        keepMs: 5_000,
        onConflict: 'keep',
      },
      requirements: ['env=b', 'env=a', 'env=b'],
      limits: { timeoutMs: 1_000, memoryBytes: 33_554_432 },
      labels: { tenant: 'acme' },
      meta: { trace: [1, null] },
      retention: { succeededMs: 0, failedMs: 1, cancelledMs: 2 },
      id: '0190c7a5-7b1c-7def-8123-456789abcdef',
    };
    expect(await enqueue('greet', 1, options)).toEqual({ id: options.id, result: 'new' });
    const job = await site.lineshaft.showJob(options.id);
    expect(job).toMatchObject({ queue: 'mail', project: 'other', priority: 7, state: 'scheduled' });
    const [row] = await site.rows<{ due: Date; requirements: string[]; options: unknown }>(
      `select j.due, l.requirements, j.options from lineshaft.job j join lineshaft.lane l on l.id = j.lane
      where j.id = $1`,
      [options.id],
    );
    expect(row?.due).toEqual(new Date('2090-01-31T06:00:00Z'));
    expect(row?.requirements).toEqual(['env=a', 'env=b']);
    const { maxAttempts, backoff, unique, limits, labels, meta, retention } = options;
    expect(row?.options).toEqual({ maxAttempts, backoff, unique, limits, labels, meta, retention });
    expect((await enqueue('greet', 1, { ...options, project: 'default', id: null })).result).toBe('new');
  });

  test('delayMs counts from now by the clock of the database', async () => {
    const { id } = await enqueue('greet', 1, { delayMs: 60_000 });
    const [row] = await site.rows<{ seconds: number }>(
      `select extract(epoch from due - clock_timestamp())::float8 as seconds
      from lineshaft.job where id = $1`,
      [id],
    );
    expect(row?.seconds).toBeGreaterThan(58);
    expect(row?.seconds).toBeLessThanOrEqual(60);
  });

  test('a time that has passed is now', async () => {
    const { id } = await enqueue('greet', 1, { runAt: '2001-01-01T00:00Z' });
    expect((await site.lineshaft.showJob(id)).state).toBe('ready');
  });

  describe('unique keys', () => {
    const waiting = { delayMs: 3_600_000 };

    test('keep: the first stays', async () => {
      const unique = { key: 'keep' };
      const { id } = await enqueue('greet', 1, { unique });
      expect(await enqueue('greet', 2, { unique })).toEqual({ id, result: 'kept' });
      expect((await site.lineshaft.showJob(id)).payload).toBe(1);
    });

    test('replace: payload, options and time become the new ones', async () => {
      const { id } = await enqueue('greet', 1, {
        ...waiting,
        unique: { key: 'replace' },
        labels: { a: 'b' },
      });
      const unique = { key: 'replace', onConflict: 'replace' };
      expect(await enqueue('other', 2, { queue: 'mail', priority: 3, unique })).toEqual({
        id,
        result: 'replaced',
      });
      const job = await site.lineshaft.showJob(id);
      expect(job).toMatchObject({ kind: 'other', queue: 'mail', payload: 2, priority: 3, state: 'ready' });
      const [row] = await site.rows('select options from lineshaft.job where id = $1', [id]);
      expect(row).toEqual({ options: { unique } });
    });

    test('debounce: the last call decides, and postpones; the other options stay', async () => {
      const unique = { key: 'debounce', onConflict: 'debounce' };
      const { id } = await enqueue('greet', 1, { delayMs: 1_000, priority: 5, labels: { a: 'b' }, unique });
      expect(await enqueue('greet', 2, { ...waiting, unique })).toEqual({ id, result: 'replaced' });
      const [row] = await site.rows<{ seconds: number; payload: unknown; priority: number; options: object }>(
        `select extract(epoch from due - now())::float8 as seconds, payload, priority, options
        from lineshaft.job where id = $1`,
        [id],
      );
      expect(row).toMatchObject({ payload: 2, priority: 5, options: { labels: { a: 'b' } } });
      expect(row?.seconds).toBeGreaterThan(3_500);
    });

    test('throttle: the payload is the new one, the earlier time stays', async () => {
      const unique = { key: 'throttle', onConflict: 'throttle' };
      const { id } = await enqueue('greet', 1, { ...waiting, unique });
      const before = await site.rows('select due from lineshaft.job where id = $1', [id]);
      expect(await enqueue('greet', 2, { delayMs: 1, unique })).toEqual({ id, result: 'replaced' });
      expect(await site.rows('select due from lineshaft.job where id = $1', [id])).toEqual(before);
      expect((await site.lineshaft.showJob(id)).payload).toBe(2);
    });

    test('the same key in another project is another key', async () => {
      const unique = { key: 'per project' };
      expect((await enqueue('greet', 1, { unique })).result).toBe('new');
      expect((await enqueue('greet', 1, { unique, queue: 'mail', project: 'other' })).result).toBe('new');
    });

    test('a job that runs is not replaced, and one that has finished frees its key', async () => {
      const queue = await site.queue();
      let finish = (): void => {};
      const running = new Promise<void>((resolve) => {
        finish = resolve;
      });
      await site.work(queue, { handlers: { slow: () => running } });
      const unique = { key: 'runs', onConflict: 'replace' };
      const { id } = await enqueue('slow', 1, { queue, unique });
      await until('it runs', async () => (await site.lineshaft.showJob(id)).state === 'running');
      expect(await enqueue('slow', 2, { queue, unique })).toEqual({ id, result: 'kept' });
      finish();
      await site.lineshaft.waitFor([id], { timeoutMs: 5_000 });
      expect((await enqueue('slow', 3, { queue, unique })).result).toBe('new');
    });
  });

  test('an id may be sent again with the same content, and with no other', async () => {
    const id = '0190c7a5-7b1c-7def-8123-000000000001';
    const payload = { a: 1, b: [1.0, null] };
    expect(await enqueue('greet', payload, { id })).toEqual({ id, result: 'new' });
    expect(await enqueue('greet', { b: [1, null], a: 1 }, { id })).toEqual({ id, result: 'kept' });
    for (const other of [{ ...payload, a: 2 }, null]) {
      expect(await refusal('greet', other, { id })).toMatchObject({ code: 'LS409' });
    }
    expect(await refusal('greet', payload, { id, queue: 'mail' })).toMatchObject({ code: 'LS409' });
    expect(await refusal('other', payload, { id })).toMatchObject({
      code: 'LS409',
      message: `job ${id} exists with another content`,
      hint: expect.stringContaining('new id'),
      detail: expect.stringContaining('"JOB_ID_CONFLICT"'),
    });
  });

  test('a roll-back undoes it, also to a savepoint', async () => {
    await site.rows('begin');
    const first = await enqueue('greet', 1, { unique: { key: 'undone' } });
    await site.rows('rollback');
    await expect(site.lineshaft.showJob(first.id)).rejects.toMatchObject({ code: 'JOB_NOT_FOUND' });
    await site.rows('begin');
    const kept = await enqueue('greet', 2, { unique: { key: 'undone' } });
    expect(kept.result).toBe('new');
    await site.rows('savepoint before');
    const undone = await enqueue('greet', 3);
    await site.rows('rollback to savepoint before');
    await site.rows('commit');
    await expect(site.lineshaft.showJob(undone.id)).rejects.toMatchObject({ code: 'JOB_NOT_FOUND' });
    expect((await site.lineshaft.showJob(kept.id)).payload).toBe(2);
  });

  test('works in a repeatable read transaction, with kinds that others make meanwhile', async () => {
    await site.rows('begin isolation level repeatable read');
    await site.rows('select 1 from lineshaft.job limit 1');
    await site.lineshaft.enqueue('born-meanwhile', 1);
    expect((await enqueue('born-meanwhile', 2)).result).toBe('new');
    await site.rows('commit');
    await site.lineshaft.enqueue('born-meanwhile', 3);
    const seen: unknown[] = [];
    await site.work('default', { handlers: { 'born-meanwhile': (n: unknown) => void seen.push(n) } });
    await until('all three have run', () => seen.length === 3);
    expect(seen.sort()).toEqual([1, 2, 3]);
  });

  test('a worker that would not poll is woken', async () => {
    const queue = await site.queue({ pollingIntervalMs: 60_000 });
    const seen: unknown[] = [];
    await site.work(queue, { handlers: { greet: (n: unknown) => void seen.push(n) } });
    for (const n of [1, 2, 3]) {
      await enqueue('greet', n, { queue });
      await until(`job ${n} has run`, () => seen.length === n, 5_000);
    }
    await enqueue('greet', 4, { queue, delayMs: 100 });
    await until('the later one has run', () => seen.length === 4, 5_000);
  });
});
