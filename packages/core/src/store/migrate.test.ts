import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import pg from 'pg';
import { afterEach, describe, expect, inject, test, vi } from 'vitest';
import { startPgbouncer } from '../testing/pgbouncer.ts';
import { createDatabase } from '../testing/server.ts';
import { demandSchema, type MigrationReport, migrate, schemaStatus } from './migrate.ts';
import { migrations } from './migrations.generated.ts';
import type { Migration } from './schema-version.ts';

const latest = migrations.length;
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  closing.push(() => client.end().catch(() => {}));
  return client;
}

/** The known migrations and one more. */
function withOneMore(text: string): Migration[] {
  const checksum = createHash('sha256').update(text).digest('hex');
  return [...migrations, { version: latest + 1, name: 'one_more', checksum, text }];
}

async function ask(client: pg.Client, text: string): Promise<unknown> {
  const { rows } = await client.query({ text, rowMode: 'array' });
  return rows[0]?.[0];
}

/** Runs `migrate` in a process of its own. */
async function migrateInProcess(url: string): Promise<MigrationReport> {
  const program = `
    import pg from 'pg';
    import { migrate } from ${JSON.stringify(new URL('./migrate.ts', import.meta.url).href)};
    const client = new pg.Client({ connectionString: ${JSON.stringify(url)} });
    await client.connect();
    console.log(JSON.stringify(await migrate(client)));
    await client.end();`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    cwd: new URL('.', import.meta.url),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let complaints = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk) => {
    complaints += chunk;
  });
  await new Promise((resolve) => child.once('close', resolve));
  if (child.exitCode !== 0) throw new Error(complaints);
  return JSON.parse(output) as MigrationReport;
}

describe.each(['postgres15', 'postgres18'] as const)('migrating on %s', (server) => {
  const database = (): Promise<string> => createDatabase(inject(server));

  test('an empty database gets the whole schema, and a second call does nothing', async () => {
    const client = await connect(await database());
    const lines: string[] = [];
    const first = await migrate(client, { log: (line) => lines.push(line) });
    expect(first).toMatchObject({ schema: 'lineshaft', planned: false, from: 0, current: latest });
    expect(first.steps.map((step) => step.version)).toEqual(migrations.map((migration) => migration.version));
    expect(lines[0]).toMatch(/^0001_queue\.sql: new objects only/);
    expect(await migrate(client)).toMatchObject({ from: latest, current: latest, steps: [] });
    expect(await ask(client, 'select count(*)::int from lineshaft.queue')).toBe(2);
    expect(await ask(client, 'show search_path')).toBe('"$user", public');
    expect(await ask(client, 'show lock_timeout')).toBe('0');
  });

  test('twenty processes migrating at once', async () => {
    const url = await database();
    const reports = await Promise.all(Array.from({ length: 20 }, () => migrateInProcess(url)));
    expect(reports.every((report) => report.current === latest)).toBe(true);
    const ran = reports.flatMap((report) => report.steps.map((step) => step.version)).sort((a, b) => a - b);
    expect(ran, 'each was run by one of them').toEqual(migrations.map((migration) => migration.version));
    expect(await schemaStatus(await connect(url))).toEqual({ current: latest, latest, pending: [] });
  });

  test('a migration that was edited is refused', async () => {
    const client = await connect(await database());
    await migrate(client);
    const edited = migrations.map((migration, index) =>
      index === 1 ? { ...migration, checksum: 'f00' } : migration,
    );
    const refusal = {
      code: 'MIGRATION_CHANGED',
      message: expect.stringMatching(/^migration 0002_enqueue\.sql was changed after it was applied on 20/),
      details: { file: '0002_enqueue.sql', version: 2 },
    };
    await expect(migrate(client, { known: edited })).rejects.toMatchObject(refusal);
    await expect(schemaStatus(client, 'lineshaft', edited)).rejects.toMatchObject(refusal);
  });

  test('a migration that vanished from the list of the database is refused', async () => {
    const client = await connect(await database());
    await migrate(client);
    await client.query('delete from lineshaft.migration where version = 2');
    await expect(migrate(client)).rejects.toMatchObject({
      code: 'MIGRATION_CHANGED',
      details: { file: '0002_enqueue.sql' },
    });
  });

  test('a newer schema is refused', async () => {
    const client = await connect(await database());
    await migrate(client, { known: withOneMore('create table lineshaft.newer ()') });
    const refusal = { code: 'SCHEMA_NEWER', details: { current: latest + 1, latest } };
    await expect(migrate(client)).rejects.toMatchObject(refusal);
    await expect(demandSchema(client)).rejects.toMatchObject(refusal);
  });

  test('the plan runs nothing', async () => {
    const client = await connect(await database());
    const plan = await migrate(client, { plan: true });
    expect(plan).toMatchObject({ planned: true, from: 0, current: 0 });
    expect(plan.steps).toHaveLength(latest);
    expect(plan.steps[0]).toEqual({
      version: 1,
      file: '0001_queue.sql',
      lockCost: expect.stringMatching(/^new objects only/),
    });
    expect(plan.steps.every((step) => step.lockCost !== 'not stated')).toBe(true);
    expect(await ask(client, "select to_regnamespace('lineshaft')")).toBeNull();
  });

  test('an interrupted migration leaves nothing behind', async () => {
    const url = await database();
    const client = await connect(url);
    const onlooker = await connect(url);
    await migrate(client);
    const known = withOneMore('create table lineshaft.half (); select pg_sleep(600)');
    const running = migrate(client, { known });
    const failed = expect(running).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE', retryable: true });
    await vi.waitUntil(
      () =>
        ask(
          onlooker,
          `select pg_terminate_backend(pid) from pg_stat_activity
           where datname = current_database() and wait_event = 'PgSleep'`,
        ),
      { timeout: 10_000, interval: 10 },
    );
    await failed;
    expect(await ask(onlooker, "select to_regclass('lineshaft.half')")).toBeNull();
    expect(await schemaStatus(onlooker, 'lineshaft', known)).toMatchObject({ current: latest });
    expect(await migrate(onlooker, { known: withOneMore('create table lineshaft.half ()') })).toMatchObject({
      from: latest,
      current: latest + 1,
    });
  });

  test('a migration that fails is named, and leaves nothing behind', async () => {
    const client = await connect(await database());
    const known = withOneMore('create table lineshaft.half (); select * from lineshaft.nowhere');
    await expect(migrate(client, { known })).rejects.toMatchObject({
      code: 'DATABASE_FAILED',
      message: expect.stringMatching(/one_more\.sql failed and left nothing behind: .*nowhere/),
      details: { file: expect.stringMatching(/_one_more\.sql$/) },
    });
    expect(await ask(client, "select to_regclass('lineshaft.half')")).toBeNull();
    expect(await schemaStatus(client, 'lineshaft', known)).toMatchObject({ current: latest });
  });

  test('a lock that others hold is waited for, again and again', async () => {
    const url = await database();
    const client = await connect(url);
    const other = await connect(url);
    await migrate(client);
    await other.query('begin; lock table lineshaft.job');
    const known = withOneMore('alter table lineshaft.job add column colour text');
    const lines: string[] = [];
    const released: Promise<unknown>[] = [];
    const report = await migrate(client, {
      known,
      lockTimeoutMs: 20,
      log: (line) => {
        lines.push(line);
        if (line.includes('others hold')) released.push(other.query('rollback'));
      },
    });
    await Promise.all(released);
    expect(report.current).toBe(latest + 1);
    expect(lines.filter((line) => line.includes('others hold the locks; attempt 2 of 10'))).toHaveLength(1);
  });

  test('a lock that others never give up ends in a clear error', async () => {
    const url = await database();
    const client = await connect(url);
    const other = await connect(url);
    await migrate(client);
    await other.query('begin; lock table lineshaft.job');
    const known = withOneMore('alter table lineshaft.job add column colour text');
    await expect(migrate(client, { known, lockTimeoutMs: 20, attempts: 2 })).rejects.toMatchObject({
      code: 'MIGRATION_LOCKED',
      message: expect.stringContaining('did not get its locks in 2 attempts'),
      retryable: true,
    });
    await other.query('rollback');
    expect(await schemaStatus(client, 'lineshaft', known)).toMatchObject({ current: latest });
  });

  test('it can stop at a version, and never goes back', async () => {
    const client = await connect(await database());
    expect(await migrate(client, { to: 2 })).toMatchObject({ from: 0, current: 2 });
    const status = await schemaStatus(client);
    expect(status).toMatchObject({ current: 2, latest });
    expect(status.pending.map(({ version }) => version)).toEqual(
      Array.from({ length: latest - 2 }, (_, place) => place + 3),
    );
    await expect(demandSchema(client)).rejects.toMatchObject({
      code: 'SCHEMA_MISSING',
      message: expect.stringContaining('lineshaft migrate'),
    });
    await expect(migrate(client, { to: 1 })).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    for (const to of [0, latest + 1, 1.5]) {
      await expect(migrate(client, { to })).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    }
    expect(await migrate(client, { to: 2 })).toMatchObject({ from: 2, current: 2, steps: [] });
  });

  test('a missing schema is demanded with the remedy', async () => {
    const client = await connect(await database());
    await expect(demandSchema(client)).rejects.toMatchObject({
      code: 'SCHEMA_MISSING',
      message: expect.stringContaining('run: lineshaft migrate, or call migrate()'),
    });
    await migrate(client);
    await expect(demandSchema(client)).resolves.toBeUndefined();
  });

  test('two installations live in one database, also under a word of SQL', async () => {
    const client = await connect(await database());
    await migrate(client, { schema: 'order' });
    await migrate(client, { schema: 'second' });
    expect(await ask(client, 'select count(*)::int from "order".queue, second.queue')).toBe(4);
    expect(await ask(client, "select to_regnamespace('lineshaft')")).toBeNull();
    await expect(migrate(client, { schema: 'No' })).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  });

  test('a user without the right to make schemas can migrate in one that is there', async () => {
    const url = await database();
    const admin = await connect(url);
    const role = `tenant_${new URL(url).pathname.slice(6)}`;
    await admin.query(`create role ${role} login; create schema lineshaft authorization ${role}`);
    const tenantUrl = new URL(url);
    tenantUrl.username = role;
    expect(await migrate(await connect(tenantUrl.href))).toMatchObject({ current: latest });
  });

  test('a pool is refused', async () => {
    const pool = new pg.Pool({ connectionString: await database() });
    closing.push(() => pool.end());
    await expect(migrate(pool)).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      details: { field: 'client' },
    });
    const client = await pool.connect();
    expect(await migrate(client)).toMatchObject({ current: latest });
    client.release();
  });

  test('it works through pgbouncer in transaction mode', async () => {
    const url = await database();
    const pgbouncer = await startPgbouncer(url);
    closing.push(() => pgbouncer.stop());
    const through = pgbouncer.url(new URL(url).pathname.slice(1));
    const clients = await Promise.all(Array.from({ length: 10 }, () => connect(through)));
    const reports = await Promise.all(clients.map((client) => migrate(client)));
    expect(reports.flatMap((report) => report.steps)).toHaveLength(latest);
  });
});
