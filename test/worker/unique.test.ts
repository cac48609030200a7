import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EnqueueOptions, JobContext } from '../../packages/core/src/index.ts';
import { freshName, gate, openSite, openStranger, type Site, until, versions } from './site.ts';

const now = { type: 'fixed', delayMs: 0, jitter: 0 } as const;
const hour = 3_600_000;

describe.each(versions)('a unique key over the life of its job, on PostgreSQL %i', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterAll(() => site.close());

  async function put(
    queue: string,
    kind: string,
    unique: EnqueueOptions['unique'],
    more: EnqueueOptions = {},
  ) {
    return await site.lineshaft.enqueue(
      kind,
      { at: freshName() },
      { queue, ...(unique ? { unique } : {}), ...more },
    );
  }

  test('it is taken while its job waits and runs, and free when it has finished', async () => {
    const queue = await site.queue();
    const unique = { key: freshName('key') };
    const started = gate();
    const hold = gate();
    const first = await put(queue, 'long', unique);
    expect(await put(queue, 'long', unique)).toEqual({ id: first.id, result: 'kept' });
    await site.work(queue, {
      handlers: {
        long: () => {
          started.open();
          return hold.opened;
        },
      },
    });
    await started.opened;
    expect(await put(queue, 'long', unique)).toEqual({ id: first.id, result: 'kept' });
    hold.open();
    await site.lineshaft.waitFor([first.id], { timeoutMs: 10_000 });
    const next = await put(queue, 'long', unique);
    expect(next.result).toBe('new');
    expect(next.id).not.toBe(first.id);
    await site.lineshaft.waitFor([next.id], { timeoutMs: 10_000 });
  });

  test('it is held through retries and freed by the dead letter', async () => {
    const queue = await site.queue({ maxAttempts: 3, backoff: now });
    const unique = { key: freshName('key') };
    const kept: string[] = [];
    await site.work(queue, {
      handlers: {
        fail: async () => {
          kept.push((await put(queue, 'fail', unique)).result);
          throw new Error('again');
        },
      },
    });
    const { id } = await put(queue, 'fail', unique);
    await site.lineshaft.waitFor([id], { timeoutMs: 10_000 });
    expect(kept).toEqual(['kept', 'kept', 'kept']);
    expect(await site.rows('select key from lineshaft.unique_key where key = $1', [unique.key])).toEqual([]);
  });

  test('it stays taken for keepMs after the finish where a finished state is covered', async () => {
    const queue = await site.queue();
    await site.work(queue, { handlers: { quick: () => 1 } });
    const long = { key: freshName('key'), states: ['succeeded'], keepMs: hour } as const;
    const short = { key: freshName('key'), states: ['succeeded'], keepMs: 1 } as const;
    const first = await put(queue, 'quick', long);
    const second = await put(queue, 'quick', short);
    await site.lineshaft.waitFor([first.id, second.id], { timeoutMs: 10_000 });
    expect(await put(queue, 'quick', long)).toEqual({ id: first.id, result: 'kept' });
    await until('it is free', async () => (await put(queue, 'quick', short)).result === 'new');
  });

  test('it is free as soon as its job runs where only waiting is covered', async () => {
    const queue = await site.queue();
    const unique = { key: freshName('key'), states: ['waiting'] } as const;
    const hold = gate();
    const started = gate();
    const { id } = await put(queue, 'long', unique);
    expect((await put(queue, 'long', unique)).result).toBe('kept');
    await site.work(queue, {
      handlers: {
        long: () => {
          started.open();
          return hold.opened;
        },
      },
    });
    await started.opened;
    const next = await put(queue, 'long', unique);
    expect(next.result).toBe('new');
    hold.open();
    await site.lineshaft.waitFor([id, next.id], { timeoutMs: 10_000 });
    expect(await site.rows('select key from lineshaft.unique_key where key = $1', [unique.key])).toEqual([]);
  });

  test('where only waiting is covered it is taken again by a job that retries, snoozes or is given back', async () => {
    const queue = await site.queue({ backoff: { type: 'fixed', delayMs: hour, jitter: 0 } });
    const waiting = ['waiting'] as const;
    const started = gate();
    const worker = await site.work(queue, {
      slots: 3,
      handlers: {
        fail: () => {
          throw new Error('again');
        },
        snooze: (_payload: unknown, job: JobContext) => job.snooze(hour),
        long: () => {
          started.open();
          return new Promise(() => {});
        },
      },
    });
    const keys = { fail: freshName('key'), snooze: freshName('key'), long: freshName('key') };
    const ids: Record<string, string> = {};
    for (const [kind, key] of Object.entries(keys)) {
      ids[kind] = (await put(queue, kind, { key, states: waiting })).id;
    }
    await started.opened;
    for (const kind of ['fail', 'snooze']) {
      await until(`${kind} waits`, async () => {
        const { state } = await site.lineshaft.showJob(ids[kind] ?? '');
        return state === 'retrying' || state === 'scheduled';
      });
    }
    await worker.stopNow();
    expect((await site.lineshaft.showJob(ids['long'] ?? '')).state).toBe('ready');
    for (const [kind, key] of Object.entries(keys)) {
      expect(await put(queue, kind, { key, states: waiting })).toEqual({ id: ids[kind], result: 'kept' });
    }
  });

  test('a job whose key was taken while it ran goes on without it, and leaves it alone', async () => {
    const queue = await site.queue({ backoff: now });
    const unique = { key: freshName('key'), states: ['waiting'] } as const;
    const [started, hold] = [gate(), gate()];
    await site.work(queue, {
      handlers: {
        once: async (_payload: unknown, job: JobContext) => {
          if (job.attempt > 1) return 'second';
          started.open();
          await hold.opened;
          throw new Error('again');
        },
      },
    });
    const { id } = await put(queue, 'once', unique);
    await started.opened;
    const other = await put(queue, 'nobody', unique);
    expect(other.result).toBe('new');
    hold.open();
    expect(await site.lineshaft.waitFor([id], { timeoutMs: 10_000 })).toMatchObject([{ output: 'second' }]);
    expect(await put(queue, 'nobody', unique)).toEqual({ id: other.id, result: 'kept' });
  });

  test('a stranger who is about to take the key does not hold up the retry', async () => {
    const queue = await site.queue({ backoff: now });
    const unique = { key: freshName('key'), states: ['waiting'] } as const;
    const [started, hold] = [gate(), gate()];
    await site.work(queue, {
      handlers: {
        once: async (_payload: unknown, job: JobContext) => {
          if (job.attempt > 1) return 'second';
          started.open();
          await hold.opened;
          throw new Error('again');
        },
      },
    });
    const { id } = await put(queue, 'once', unique);
    await started.opened;
    await using stranger = await openStranger(site.url);
    const options = JSON.stringify({ queue, unique });
    await stranger.query(`select * from lineshaft.enqueue('nobody', '{}', $1)`, [options]);
    hold.open();
    expect(await site.lineshaft.waitFor([id], { timeoutMs: 10_000 })).toMatchObject([{ output: 'second' }]);
  });

  test('the jobs of a dead worker take such keys again', async () => {
    const queue = await site.queue();
    const unique = { key: freshName('key'), states: ['waiting'] } as const;
    const { id } = await put(queue, 'nobody', unique);
    // What a worker leaves that died after its claim: a lease, no row in the order book, no key.
    const [dead] = await site.rows<{ id: string }>(
      `insert into lineshaft.worker (worker_id, name, build, tags, kinds, queues, slots, lease_ms, lease_until)
       values ('dead', 'dead', '0', '{*}', '{}', '{}', 1, 1, now() - interval '1 second') returning id`,
    );
    await site.rows('delete from lineshaft.ready where job_id = $1', [id]);
    await site.rows('delete from lineshaft.unique_key where job_id = $1', [id]);
    await site.rows(
      'insert into lineshaft.lease (worker, job_ids, fences) values ($1, array[$2::uuid], array[0])',
      [dead?.id, id],
    );
    await site.rows('select lineshaft.rescue($1, 3)', [dead?.id]);
    expect(await put(queue, 'nobody', unique)).toEqual({ id, result: 'kept' });
  });

  test('it is freed by a cancel, by the handler or from outside, and by a delete', async () => {
    const queue = await site.queue();
    const unique = { key: freshName('key') };
    await site.work(queue, { handlers: { stop: (_payload: unknown, job: JobContext) => job.cancel('no') } });
    const stopped = await put(queue, 'stop', unique);
    await site.lineshaft.waitFor([stopped.id], { timeoutMs: 10_000 });
    const cancelled = await put(queue, 'nobody', unique);
    expect(cancelled.result).toBe('new');
    await site.lineshaft.cancel([cancelled.id]);
    const deleted = await put(queue, 'nobody', unique);
    expect(deleted.result).toBe('new');
    await site.lineshaft.deleteJobs([deleted.id]);
    expect((await put(queue, 'nobody', unique)).result).toBe('new');
  });

  test('it is held again by a dead letter that is redriven', async () => {
    const queue = await site.queue({ maxAttempts: 1 });
    const unique = { key: freshName('key') };
    const worker = await site.work(queue, {
      handlers: {
        fail: () => {
          throw new Error('no');
        },
      },
    });
    const { id } = await put(queue, 'fail', unique);
    await site.lineshaft.waitFor([id], { timeoutMs: 10_000 });
    await worker.stop();
    expect(await site.lineshaft.retry([id])).toEqual([{ id, result: 'retried' }]);
    expect(await put(queue, 'fail', unique)).toEqual({ id, result: 'kept' });
  });

  test('a dead letter is not redriven while another job has its key', async () => {
    const queue = await site.queue({ maxAttempts: 1 });
    const unique = { key: freshName('key') };
    const worker = await site.work(queue, {
      handlers: {
        fail: () => {
          throw new Error('no');
        },
      },
    });
    const { id } = await put(queue, 'fail', unique);
    await site.lineshaft.waitFor([id], { timeoutMs: 10_000 });
    await worker.stop();
    const other = await put(queue, 'fail', unique);
    expect(other.result).toBe('new');
    expect(await site.lineshaft.retry([id])).toEqual([{ id, result: 'key-taken' }]);
    expect(await site.lineshaft.showJob(id)).toMatchObject({ state: 'failed' });
    await site.lineshaft.cancel([other.id]);
    expect(await site.lineshaft.retry([id])).toEqual([{ id, result: 'retried' }]);
  });

  test('a dead letter that kept its key goes on holding it when it is redriven', async () => {
    const queue = await site.queue({ maxAttempts: 1 });
    const unique = { key: freshName('key'), states: ['failed'], keepMs: 1 } as const;
    const worker = await site.work(queue, {
      handlers: {
        fail: () => {
          throw new Error('no');
        },
      },
    });
    const { id } = await put(queue, 'fail', unique);
    await site.lineshaft.waitFor([id], { timeoutMs: 10_000 });
    await worker.stop();
    await site.lineshaft.retry([id]);
    const retriedAt = new Date();
    await until('the time it was kept is over', async () => {
      const [row] = await site.rows<{ over: boolean }>(
        "select clock_timestamp() > $1::timestamptz + interval '5 ms' as over",
        [retriedAt],
      );
      return row?.over;
    });
    expect(await put(queue, 'fail', unique)).toEqual({ id, result: 'kept' });
  });

  test('a conflict replaces, debounces or throttles what waits, and leaves alone what runs', async () => {
    const queue = await site.queue();
    const ran: unknown[] = [];
    const enqueue = (
      key: string,
      payload: unknown,
      onConflict: 'replace' | 'debounce' | 'throttle',
      delayMs: number,
    ) => site.lineshaft.enqueue('take', payload, { queue, delayMs, unique: { key, onConflict } });
    const [replaced, debounced, throttled] = [freshName('key'), freshName('key'), freshName('key')];
    const a = await enqueue(replaced, 'a1', 'replace', hour);
    expect(await enqueue(replaced, 'a2', 'replace', 0)).toEqual({ id: a.id, result: 'replaced' });
    const b = await enqueue(debounced, 'b1', 'debounce', 1);
    expect(await enqueue(debounced, 'b2', 'debounce', hour)).toEqual({ id: b.id, result: 'replaced' });
    const c = await enqueue(throttled, 'c1', 'throttle', 1);
    expect(await enqueue(throttled, 'c2', 'throttle', hour)).toEqual({ id: c.id, result: 'replaced' });
    await site.work(queue, { handlers: { take: (payload: unknown) => void ran.push(payload) } });
    await site.lineshaft.waitFor([a.id, c.id], { timeoutMs: 10_000 });
    expect(ran.sort()).toEqual(['a2', 'c2']);
    expect(await site.lineshaft.showJob(b.id)).toMatchObject({ state: 'scheduled', payload: 'b2' });
  });

  test('what is replaced at the moment at which it is promoted is replaced', async () => {
    const queue = await site.queue();
    const unique = { key: freshName('key'), onConflict: 'debounce' } as const;
    const { id } = await put(queue, 'due', unique, { delayMs: hour });
    // As promote.sql moves it, which locks no job, held in the middle.
    await using promoter = await openStranger(site.url);
    await promoter.query(
      `with taken as (
        delete from lineshaft.later where job_id = $1 returning due, seq, lane, priority, job_id
      )
      insert into lineshaft.ready (due, seq, lane, priority, job_id)
      select due, seq, lane, priority, job_id from taken`,
      [id],
    );
    const replacing = put(queue, 'due', unique, { delayMs: 2 * hour });
    await until('it waits for the promoter', async () => {
      const text =
        "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
      return (await site.rows(text)).length > 0;
    });
    await promoter.query('commit');
    expect(await replacing).toEqual({ id, result: 'replaced' });
    expect(await site.lineshaft.showJob(id)).toMatchObject({ state: 'scheduled' });
    expect(await site.rows('select from lineshaft.ready where job_id = $1', [id])).toHaveLength(0);
  });

  test('callers who take one key at the same time get one job', async () => {
    const queue = await site.queue();
    const unique = { key: freshName('key') };
    const others = Array.from({ length: 6 }, () => site.other());
    const results = await Promise.all(
      others.flatMap((client) => [1, 2, 3].map((n) => client.enqueue('nobody', n, { queue, unique }))),
    );
    expect(results.filter((each) => each.result === 'new')).toHaveLength(1);
    expect(new Set(results.map((each) => each.id)).size).toBe(1);
  });

  test('a stranger who holds the key in an open transaction does not hold up the worker', async () => {
    const queue = await site.queue();
    const unique = { key: freshName('key') };
    const hold = gate();
    const started = gate();
    await site.work(queue, {
      handlers: {
        keyed: () => {
          started.open();
          return hold.opened;
        },
        plain: () => 'done',
      },
    });
    const { id } = await put(queue, 'keyed', unique);
    await started.opened;
    await using stranger = await openStranger(site.url);
    const options = { queue, unique: { ...unique, onConflict: 'replace' } };
    await stranger.query(`select * from lineshaft.enqueue('keyed', '{}', $1)`, [JSON.stringify(options)]);
    hold.open();
    await until('its result waits for the stranger', async () => {
      const text =
        "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
      return (await site.rows(text)).length > 0;
    });
    const plain = await put(queue, 'plain', undefined);
    expect(await site.lineshaft.waitFor([plain.id], { timeoutMs: 10_000 })).toMatchObject([
      { output: 'done' },
    ]);
    await stranger.query('commit');
    expect(await site.lineshaft.waitFor([id], { timeoutMs: 10_000 })).toMatchObject([{ state: 'succeeded' }]);
  });
});
