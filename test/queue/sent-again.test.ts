/** An enqueue whose answer was lost may be sent again with the same id: the same content is one job. */

import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fromPg } from '../../packages/core/src/adapters/pg.ts';
import type { Lineshaft } from '../../packages/core/src/index.ts';
import { openSite, type Site, versions } from '../worker/site.ts';

let made = 0;

/** A UUIDv7 of the caller's. */
function ownId(): string {
  made += 1;
  return `0190c7a5-7b1c-7def-8123-${made.toString(16).padStart(12, '0')}`;
}

describe.each(versions)('the same id sent again, on PostgreSQL %i', (version) => {
  let site: Site;
  let lineshaft: Lineshaft;
  beforeAll(async () => {
    site = await openSite(version);
    lineshaft = site.lineshaft;
  });
  afterAll(() => site.close());

  test('while it waits, and after it finished with history kept', async () => {
    const queue = await site.queue();
    const id = ownId();
    const send = (payload: unknown = { a: 1 }) => lineshaft.enqueue('once', payload, { queue, id });
    expect(await send()).toEqual({ id, result: 'new' });
    expect(await send()).toEqual({ id, result: 'kept' });
    await expect(send({ a: 2 })).rejects.toMatchObject({ code: 'JOB_ID_CONFLICT', details: { id } });
    const runs: number[] = [];
    await site.work(queue, { handlers: { once: () => void runs.push(1) } });
    await lineshaft.waitFor([id], { timeoutMs: 5_000 });
    expect(await send()).toEqual({ id, result: 'kept' });
    await expect(send({ a: 2 })).rejects.toMatchObject({ code: 'JOB_ID_CONFLICT' });
    await expect(lineshaft.enqueue('other', { a: 1 }, { queue, id })).rejects.toMatchObject({
      code: 'JOB_ID_CONFLICT',
    });
    expect(runs).toHaveLength(1);
  });

  test('after it failed for good, and after it was cancelled', async () => {
    const queue = await site.queue({ maxAttempts: 1 });
    const [failing, cancelled] = [ownId(), ownId()];
    const send = (id: string) => lineshaft.enqueue('fail', 1, { queue, id });
    await send(cancelled);
    await lineshaft.cancel([cancelled]);
    await send(failing);
    await site.work(queue, {
      handlers: {
        fail: () => {
          throw new Error('no');
        },
      },
    });
    await lineshaft.waitFor([failing], { timeoutMs: 5_000 });
    expect(await send(failing)).toEqual({ id: failing, result: 'kept' });
    expect(await send(cancelled)).toEqual({ id: cancelled, result: 'kept' });
  });

  test('with a unique key too: the job itself, not the one that has the key now', async () => {
    const queue = await site.queue();
    const id = ownId();
    const unique = { key: `again ${version}`, onConflict: 'replace' as const };
    const send = () => lineshaft.enqueue('once', 1, { queue, id, unique });
    expect((await send()).result).toBe('new');
    await lineshaft.cancel([id]);
    const next = await lineshaft.enqueue('once', 2, { queue, unique });
    expect(next.result).toBe('new');
    expect(await send()).toEqual({ id, result: 'kept' });
    expect((await lineshaft.showJob(next.id)).payload).toBe(2);
  });

  test('a whole batch, in another order, by many at once', async () => {
    const ids = Array.from({ length: 200 }, ownId);
    const clients = Array.from({ length: 10 }, () => site.other());
    const answers = await Promise.all(
      clients.map((client, turn) => {
        const mine = [...ids.slice(turn * 20), ...ids.slice(0, turn * 20)];
        return client.enqueueMany(mine.map((id) => ({ kind: 'once', payload: id, id })));
      }),
    );
    const all = answers.flat();
    expect(
      all
        .filter((answer) => answer.result === 'new')
        .map((answer) => answer.id)
        .sort(),
    ).toEqual(ids);
    expect(all.filter((answer) => answer.result === 'kept')).toHaveLength(9 * 200);
    await Promise.all(clients.map((client) => client.close()));
  });

  test('30,000 with ids of their own in one transaction: no lock for each', async () => {
    const client = new pg.Client({ connectionString: site.url });
    await client.connect();
    const requests = Array.from({ length: 30_000 }, (_, n) => ({ kind: 'bulk', payload: n, id: ownId() }));
    await client.query('begin');
    const results = await lineshaft.within(fromPg(client)).enqueueMany(requests);
    const { rows } = await client.query(
      'select count(*)::integer as locks from pg_locks where pid = pg_backend_pid()',
    );
    await client.query('rollback');
    await client.end();
    expect(results.every((result) => result.result === 'new')).toBe(true);
    expect(rows[0].locks).toBeLessThan(200);
  });

  test('while a transaction with the same id is open: waits, then answers `kept`', async () => {
    const client = new pg.Client({ connectionString: site.url });
    await client.connect();
    const id = ownId();
    await client.query('begin');
    expect((await lineshaft.within(fromPg(client)).enqueue('once', 1, { id })).result).toBe('new');
    const again = lineshaft.enqueue('once', 1, { id });
    const other = lineshaft.enqueue('once', 2, { id }).catch((error) => error.code);
    expect((await lineshaft.enqueue('once', 3, { id: ownId() })).result).toBe('new');
    await client.query('commit');
    expect(await again).toEqual({ id, result: 'kept' });
    expect(await other).toBe('JOB_ID_CONFLICT');
    await client.end();
  });
});
