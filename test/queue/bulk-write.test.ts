/** Calls of many jobs, whose first batches are written while the others are still being checked. */

import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { UuidSource } from '../../packages/core/src/domain/uuid.ts';
import { validateRequest } from '../../packages/core/src/domain/validate-job.ts';
import { defineKinds, definePlugin, Lineshaft } from '../../packages/core/src/index.ts';
import { silentLog } from '../../packages/core/src/log.ts';
import type { BulkWrite } from '../../packages/core/src/queue/bulk-write.ts';
import type { PreparedJob } from '../../packages/core/src/queue/enqueue-batch.ts';
import { Enqueuer } from '../../packages/core/src/queue/enqueuer.ts';
import { Route } from '../../packages/core/src/store/session.ts';
import { bindStatements } from '../../packages/core/src/store/statements.ts';
import { openSite, type Site, until, versions } from '../worker/site.ts';

const statements = bindStatements('lineshaft');
const ids = new UuidSource(Date.now, (size) => crypto.getRandomValues(new Uint8Array(size)));

describe.each(versions)('a call of many jobs, on PostgreSQL %i', (version) => {
  let site: Site;
  let lineshaft: Lineshaft;
  let watcher: pg.Client;
  const enqueuers: Enqueuer[] = [];
  const begun: BulkWrite[] = [];
  beforeAll(async () => {
    site = await openSite(version);
    lineshaft = site.lineshaft;
    watcher = new pg.Client({ connectionString: site.url });
    await watcher.connect();
    // The first job of a kind makes its lane; the short way is for those after it.
    await lineshaft.enqueue('many', 'first');
    await watcher.query('truncate lineshaft.job, lineshaft.ready');
  });
  afterEach(async () => {
    // Also what a test that failed has left open.
    for (const bulk of begun.splice(0)) await bulk.abandon();
    for (const enqueuer of enqueuers.splice(0)) await enqueuer.close();
    await watcher.query('truncate lineshaft.job, lineshaft.ready');
  });
  afterAll(async () => {
    await watcher.end();
    await site.close();
  });

  const jobs = (from: number, count: number, kind = 'many'): PreparedJob[] =>
    Array.from({ length: count }, (_, place) => {
      const valid = validateRequest({ kind, payload: from + place });
      return { ...valid, id: ids.next(), resend: false };
    });

  const begin = (count: number) => {
    const route = new Route({
      databaseUrl: site.url,
      applicationName: 'bulk-write',
      statementTimeoutMs: 60_000,
    });
    const enqueuer = new Enqueuer(route, statements, 'always');
    enqueuers.push(enqueuer);
    const bulk = enqueuer.beginMany(count, true);
    begun.push(bulk);
    return Object.assign(bulk, { sent: route.sent });
  };

  const openTransactions = async (): Promise<number[]> => {
    const { rows } = await watcher.query<{ pid: number }>(
      `select pid from pg_stat_activity
       where application_name = 'bulk-write' and state = 'idle in transaction' and query like 'with place as%'`,
    );
    return rows.map(({ pid }) => pid);
  };

  /** Payloads of what waits, in the order in which it will be claimed. */
  const waiting = async (): Promise<unknown[]> => {
    const { rows } = await watcher.query<{ payload: unknown }>(
      'select j.payload from lineshaft.ready r join lineshaft.job j on j.id = r.job_id order by r.priority desc, r.due, r.seq',
    );
    return rows.map(({ payload }) => payload);
  };
  const numbers = (count: number) => Array.from({ length: count }, (_, place) => place);

  test('is on its way before its last job was checked, and seen by nobody until then', async () => {
    const all = jobs(0, 7_000);
    const bulk = begin(all.length);
    bulk.add(all.slice(0, 2_000));
    bulk.add(all.slice(2_000, 4_000));
    await until('transactions to open or end', async () => (await openTransactions()).length >= 1);
    expect(await waiting()).toEqual([]);
    bulk.add(all.slice(4_000, 6_000));
    bulk.add(all.slice(6_000));
    const results = await bulk.end();
    expect(results).toEqual(all.map(({ id }) => ({ id, result: 'new' })));
    expect(await waiting()).toEqual(numbers(7_000));
    expect(await openTransactions()).toEqual([]);
  });

  test('leaves nothing where a later job is refused', async () => {
    const bulk = begin(6_000);
    bulk.add(jobs(0, 2_000));
    bulk.add(jobs(2_000, 2_000));
    await until('transactions to open or end', async () => (await openTransactions()).length >= 1);
    await bulk.abandon();
    expect(await openTransactions()).toEqual([]);
    expect(await waiting()).toEqual([]);
  });

  test('waits for the check also where the short way was no way', async () => {
    const bulk = begin(6_000);
    bulk.add(jobs(0, 2_000, `unknown-${version}`));
    bulk.add(jobs(2_000, 2_000, `unknown-${version}`));
    await until('one to have been tried', () => (bulk.sent.get('enqueue_plain') ?? 0) >= 1);
    bulk.add(jobs(4_000, 2_000));
    await until('its transaction to wait', async () => (await openTransactions()).length >= 1);
    expect([...bulk.sent.keys()]).not.toContain('enqueue_many');
    await bulk.abandon();
    expect(await waiting()).toEqual([]);
  });

  test('goes on with other connections where those of its first batches are lost', async () => {
    const all = jobs(0, 9_000);
    const bulk = begin(all.length);
    bulk.add(all.slice(0, 4_000));
    const pids = await until('both to be written', async () => {
      const open = await openTransactions();
      return open.length >= 2 && open;
    });
    await watcher.query('select pg_terminate_backend(pid) from unnest($1::integer[]) pid', [pids]);
    await until('them to be lost', async () => (await openTransactions()).length === 0);
    bulk.add(all.slice(4_000));
    const results = await bulk.end();
    expect(results.map(({ result }) => result)).toEqual(all.map(() => 'new'));
    expect(await waiting()).toEqual(numbers(9_000));
  });

  test('writes what the short way does not know: kinds that are new, options, keys', async () => {
    const all = [...jobs(0, 3_000), ...jobs(3_000, 3_000, `new-${version}`)];
    const keyed = validateRequest({ kind: 'many', payload: 6_000, unique: { key: 'once' } });
    const bulk = begin(all.length + 2);
    const twice = [1, 2].map(() => ({ ...keyed, id: ids.next(), resend: false }));
    for (let from = 0; from < all.length; from += 2_000) bulk.add(all.slice(from, from + 2_000));
    bulk.add(twice);
    const results = await bulk.end();
    expect(results.slice(0, 6_001).every(({ result }) => result === 'new')).toBe(true);
    expect(results[6_001]).toEqual({ id: twice[0]?.id, result: 'kept' });
    expect(await waiting()).toEqual(numbers(6_001));
  });

  test('is waited for by the close', async () => {
    const all = jobs(0, 6_000);
    const bulk = begin(all.length);
    for (let from = 0; from < all.length; from += 2_000) bulk.add(all.slice(from, from + 2_000));
    await until('it to be under way', async () => (await openTransactions()).length >= 1);
    const closing = enqueuers[0]?.close();
    const results = await bulk.end();
    await closing;
    expect(results).toHaveLength(6_000);
    expect(await waiting()).toEqual(numbers(6_000));
  });

  test('is refused whole for one wrong job at its end', async () => {
    const requests: { kind: string; payload: unknown }[] = numbers(12_000).map((payload) => ({
      kind: 'many',
      payload,
    }));
    requests.push({ kind: 'many', payload: 1n });
    await expect(lineshaft.enqueueMany(requests)).rejects.toMatchObject({ code: 'PAYLOAD_INVALID' });
    expect(await waiting()).toEqual([]);
    requests.pop();
    await expect(lineshaft.enqueueMany(requests)).resolves.toHaveLength(12_000);
    expect(await waiting()).toEqual(numbers(12_000));
  });

  test('holds no transaction open while code of others checks its jobs', async () => {
    let open: number | undefined;
    const looks = definePlugin({
      name: 'looks',
      hooks: {
        enqueue: async (request) => {
          if (request.payload === 5_999) open = (await openTransactions()).length;
          return request;
        },
      },
    });
    await using mine = new Lineshaft({
      databaseUrl: site.url,
      applicationName: 'bulk-write',
      kinds: defineKinds<{ many: number }>(),
      plugins: [looks()],
      log: silentLog,
    });
    await mine.enqueueMany(numbers(6_000).map((payload) => ({ kind: 'many', payload })));
    expect(open).toBe(0);
    expect(await waiting()).toEqual(numbers(6_000));
  });

  test('keeps texts of every alphabet', async () => {
    const texts = ['', 'ä', '漢字', '😀', '"\\\n', '{"a":1}', 'x'.repeat(5_000)];
    const requests = numbers(4_200).map((place) => ({ kind: 'many', payload: texts[place % texts.length] }));
    await lineshaft.enqueueMany(requests);
    expect(await waiting()).toEqual(requests.map(({ payload }) => payload));
  });
});
