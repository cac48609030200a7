import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import { look, wrong } from '../testing/doctor.ts';
import { openClient } from '../testing/installation.ts';
import { startPgbouncer } from '../testing/pgbouncer.ts';
import { createDatabase, startServer } from '../testing/server.ts';
import { judgeSettings } from './doctor/server-settings.ts';
import { migrate } from './migrate.ts';
import { migrations } from './migrations.generated.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function connect(connectionString: string, more: pg.ClientConfig = {}): Promise<pg.Client> {
  const client = await openClient(connectionString, more);
  closing.push(() => client.end().catch(() => {}));
  return client;
}

describe.each(['postgres15', 'postgres18'] as const)('the doctor on %s', (server) => {
  let url: string;
  let client: pg.Client;
  beforeEach(async () => {
    url = await createDatabase(inject(server));
    client = await connect(url);
    await migrate(client);
  });

  test('a healthy installation has a finding "ok" for each check', async () => {
    const findings = await look(client);
    expect(wrong(findings)).toEqual([]);
    expect(findings.filter(({ severity }) => severity === 'ok').map(({ code }) => code)).toEqual([
      'schema',
      'pooler',
      'clock',
      'drift',
      'partitions',
      'detaching',
      'dead-tuples',
      'pinned-vacuum',
      'waiting-jobs',
      'lost-workers',
    ]);
  });

  test('it leaves nothing behind', async () => {
    await look(client);
    const { rows } = await client.query(
      `select nspname from pg_namespace
       where nspname not in ('public', 'information_schema') and nspname !~ '^pg_'`,
    );
    expect(rows).toEqual([{ nspname: 'lineshaft' }]);
  });

  test('a schema under another name, a word of SQL, has no drift', async () => {
    await migrate(client, { schema: 'order' });
    expect(wrong(await look(client, { schema: 'order' }))).toEqual([]);
  });

  test('a missing, an older, a newer and a changed schema are told', async () => {
    expect(await look(client, { schema: 'nowhere' })).toContainEqual(
      expect.objectContaining({
        code: 'schema-missing',
        severity: 'error',
        remedy: 'Run: lineshaft migrate',
      }),
    );
    await migrate(client, { schema: 'older', to: 2 });
    const older = wrong(await look(client, { schema: 'older' }));
    expect(older).toContainEqual(
      expect.objectContaining({
        code: 'schema-missing',
        detail: expect.stringMatching(/^Pending: 0003_work\.sql\b/),
      }),
    );
    expect(older.filter(({ code }) => code.startsWith('drift'))).toEqual([]);
    await client.query(`insert into lineshaft.migration values ($1, 'more', 'x', now(), 1)`, [
      migrations.length + 1,
    ]);
    const newer = (await look(client)).map(({ code }) => code);
    expect(newer).toEqual(expect.arrayContaining(['schema-newer', 'drift-unknown']));
    await client.query(`delete from lineshaft.migration where name = 'more'`);
    await client.query(`update lineshaft.migration set checksum = 'x' where version = 2`);
    expect(wrong(await look(client)).map(({ code }) => code)).toEqual(['migration-changed']);
  });

  test('dead rows beyond the threshold', async () => {
    await client.query(
      `insert into lineshaft.ready (due, seq, lane, priority, job_id)
       select now(), n, 1, 0, gen_random_uuid() from generate_series(1, 2000) n`,
    );
    await client.query('delete from lineshaft.ready');
    await client.query('select pg_stat_force_next_flush()');
    // The server tells its statistics a little later when it is busy.
    await expect
      .poll(async () => wrong(await look(client, { limits: { deadTuples: { ready: 1_000 } } })), {
        timeout: 15_000,
      })
      .toMatchObject([{ code: 'dead-tuples', title: 'table ready has 2000 dead rows' }]);
  });

  test('a long transaction is told with its session, and never with its query', async () => {
    const other = await connect(url, { application_name: 'night-report' });
    await other.query(`begin isolation level repeatable read; select 'secret'`);
    const { rows } = await other.query('select pg_backend_pid() as pid, now()::text as since');
    const { pid, since } = rows[0] as { pid: number; since: string };
    expect(wrong(await look(client))).toEqual([]);
    const findings = wrong(await look(client, { limits: { openTransactionMs: 0 } }));
    expect(findings).toMatchObject([
      {
        code: 'long-transaction',
        severity: 'warning',
        detail: `pid ${pid}, application night-report, user postgres, idle in transaction, since ${since}`,
        remedy: expect.stringContaining(`pg_terminate_backend(${pid})`),
      },
    ]);
    expect(JSON.stringify(findings)).not.toContain('secret');
  });

  test('a forgotten prepared transaction', async () => {
    const gid = `forgotten-${new URL(url).pathname.slice(1)}`;
    await client.query(`begin; create table half (); prepare transaction '${gid}'`);
    try {
      expect(wrong(await look(client, { limits: { openTransactionMs: 0 } }))).toMatchObject([
        { code: 'prepared-transaction', title: expect.stringContaining(gid) },
      ]);
    } finally {
      await client.query(`rollback prepared '${gid}'`);
    }
  });

  test('missing history partitions, of today and of the days ahead', async () => {
    const { rows } = await client.query(
      `select to_char(d, 'YYYYMMDD') as part, to_char(d, 'YYYY-MM-DD') as day
       from (values ((now() at time zone 'UTC')::date), ((now() at time zone 'UTC')::date + 2)) v (d)`,
    );
    const [today, later] = rows as { part: string; day: string }[];
    await client.query(`drop table lineshaft.history_${today?.part}, lineshaft.history_${later?.part}`);
    expect(wrong(await look(client))).toMatchObject([
      {
        code: 'partition-missing',
        severity: 'error',
        title: `history has no partition for ${today?.day} (today)`,
      },
      { code: 'partition-missing', severity: 'warning', title: `history has no partition for ${later?.day}` },
    ]);
    await client.query(wrong(await look(client))[0]?.remedy.replace(/^.*At once: /, '') ?? '');
    expect(wrong(await look(client))).toHaveLength(1);
  });

  test('an interrupted detaching of a partition', async () => {
    const { rows } = await client.query(
      `select 'history_' || to_char((now() at time zone 'UTC')::date - 1, 'YYYYMMDD') as part`,
    );
    const { part } = rows[0] as { part: string };
    const reader = await connect(url);
    await reader.query(`begin; select count(*) from lineshaft.history`);
    const keeper = await connect(url);
    await keeper.query(`set lock_timeout = '50ms'`);
    await expect(
      keeper.query(`alter table lineshaft.history detach partition lineshaft.${part} concurrently`),
    ).rejects.toThrow('lock timeout');
    expect(wrong(await look(client))).toMatchObject([
      { code: 'partition-detaching', title: `the detaching of partition ${part} was interrupted` },
    ]);
    await keeper.query('set lock_timeout = 0');
    const finalize = wrong(await look(client))[0]?.remedy.replace(/^.*At once: /, '') ?? '';
    const { rows: backends } = await keeper.query('select pg_backend_pid() as pid');
    const running = keeper.query(finalize);
    await vi.waitUntil(
      async () => {
        const { pid } = backends[0] as { pid: number };
        const locks = await client.query('select from pg_locks where not granted and pid = $1', [pid]);
        return locks.rows.length > 0;
      },
      { timeout: 5_000, interval: 10 },
    );
    expect(wrong(await look(client)), 'somebody is at it').toEqual([]);
    await reader.query('rollback');
    await running;
    expect(wrong(await look(client))).toEqual([]);
  });

  test('clock skew, in both directions', async () => {
    const behind = wrong(await look(client, { now: () => Date.now() - 5_000 }));
    expect(behind).toMatchObject([
      { code: 'clock-skew', title: 'the clock of this process is 5.0 s behind that of the database' },
    ]);
    const ahead = wrong(await look(client, { now: () => Date.now() + 180_000 }));
    expect(ahead).toMatchObject([
      { title: 'the clock of this process is 3 min ahead of that of the database' },
    ]);
    expect(wrong(await look(client, { now: () => Date.now() + 500 }))).toEqual([]);
  });

  test('a pooler in transaction mode', async () => {
    const pgbouncer = await startPgbouncer(url);
    closing.push(() => pgbouncer.stop());
    const through = pgbouncer.url(new URL(url).pathname.slice(1));
    const pooled = await connect(through);
    expect(wrong(await look(pooled))).toMatchObject([{ code: 'pooler' }]);
    const second = await connect(through);
    expect(wrong(await look(pooled, { second }))).toMatchObject([{ code: 'pooler-transaction' }]);
    expect(wrong(await look(client, { second: await connect(url) }))).toEqual([]);
  });

  test('a pooler in session mode is not taken for more', async () => {
    const pgbouncer = await startPgbouncer(url, { poolMode: 'session' });
    closing.push(() => pgbouncer.stop());
    const through = pgbouncer.url(new URL(url).pathname.slice(1));
    const findings = await look(await connect(through), { second: await connect(through) });
    expect(wrong(findings)).toMatchObject([{ code: 'pooler' }]);
  });

  test('a check that fails does not stop the others', async () => {
    await client.query('alter table lineshaft.ready rename to gone');
    const codes = (await look(client)).map(({ code }) => code);
    expect(codes).toEqual(expect.arrayContaining(['waiting-jobs-failed', 'lost-workers', 'drift-missing']));
  });
});

test.each([15, 18] as const)('settings and replication slots of a server of version %i', async (version) => {
  const server = await startServer(version, {
    fsync: true,
    settings: { wal_level: 'logical', full_page_writes: 'off', synchronous_commit: 'off', autovacuum: 'off' },
  });
  closing.push(() => server.stop());
  const client = await connect(server.url());
  await client.query(`select pg_create_logical_replication_slot('left_over', 'pgoutput')`);
  const found = (await look(client)).filter(({ code }) => /^(setting|replication)/.test(code));
  expect(found).toMatchObject([
    { code: 'setting-full-page-writes', severity: 'error' },
    { code: 'setting-synchronous-commit', severity: 'error' },
    { code: 'setting-autovacuum', severity: 'warning' },
    {
      code: 'replication-slot',
      title: "the replication slot 'left_over' pins vacuum of the catalogs",
      detail: expect.stringMatching(/^logical, read by nobody, \d+ transactions behind$/),
    },
  ]);
  await client.end();
  await server.restart({ fsync: 'off', full_page_writes: 'on', synchronous_commit: 'on', autovacuum: 'on' });
  const again = await look(await connect(server.url()));
  expect(again.map(({ code }) => code)).toContain('setting-fsync');
});

test('a server that is too old', () => {
  expect(judgeSettings(new Map([['server_version_num', '140012']]))).toMatchObject([
    {
      code: 'server-version',
      severity: 'error',
      title: 'the server is PostgreSQL 14; Lineshaft needs 15 or newer',
    },
  ]);
});
