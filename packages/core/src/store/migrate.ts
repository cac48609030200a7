/**
 * Brings the schema of an installation up to date: forward only, each migration in one transaction of its
 * own, one process at a time. It must never keep anything in a session: it also runs through a pooler in
 * transaction mode. Knows nothing of the other statements of the store.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { invalidOption, LineshaftError } from '../domain/errors.ts';
import { databaseError, isTransient } from './database-error.ts';
import { migrations } from './migrations.generated.ts';
import { bindSchema, checkSchemaName } from './schema-name.ts';
import {
  appliedMigrations,
  describeStep,
  lockCost,
  type Migration,
  type MigrationSet,
  type MigrationStep,
  migrationFile,
  type Queryable,
  readState,
  verify,
} from './schema-version.ts';
import { statements } from './statements.generated.ts';

export { demandSchema, type Queryable, schemaStatus } from './schema-version.ts';

export interface MigrateOptions {
  /** @default 'lineshaft' */
  readonly schema?: string | undefined;
  /** Stop after this version. @default the latest */
  readonly to?: number | undefined;
  /** Only tell what would run. @default false */
  readonly plan?: boolean | undefined;
  /** Gets a line for each migration that starts or has to wait. */
  readonly log?: ((line: string) => void) | undefined;
  /** How long one attempt waits for the locks of its tables, in milliseconds. @default 5000 */
  readonly lockTimeoutMs?: number | undefined;
  /** How often a migration that did not get its locks is tried. @default 10 */
  readonly attempts?: number | undefined;
  /** The migrations there are. @default those of this version */
  readonly known?: readonly Migration[] | undefined;
  /** Those of plugins, which come after them; not with `to`. @default none */
  readonly plugins?: readonly MigrationSet[] | undefined;
}

export interface MigrationReport {
  readonly schema: string;
  /** True if nothing was run, as asked. */
  readonly planned: boolean;
  /** The version before; 0 for an empty database. */
  readonly from: number;
  /** The version now. */
  readonly current: number;
  /** What this call ran (others may have run some meanwhile), or what it would run. */
  readonly steps: readonly MigrationStep[];
}

// The others may have many migrations to run, one after the other.
const turnTimeoutMs = 60_000;

/**
 * Runs the migrations that are missing. Safe when many processes call it at once. What is interrupted leaves
 * nothing behind, and is done by the next call.
 *
 * @throws OPTION_INVALID, MIGRATION_CHANGED, MIGRATION_LOCKED (locks not got in time), SCHEMA_NEWER,
 * DATABASE_UNAVAILABLE, DATABASE_FAILED
 * @example
 * const client = new pg.Client({ connectionString }); await client.connect();
 * const { current, steps } = await migrate(client);
 */
export async function migrate(client: Queryable, options: MigrateOptions = {}): Promise<MigrationReport> {
  const schema = checkSchemaName(options.schema);
  const known = options.known ?? migrations;
  demandOneConnection(client);
  const to = checkTarget(options.to, known.length);
  const before = await appliedMigrations(client, schema);
  const from = verify(before, known);
  if (options.to !== undefined && to < from) {
    throw invalidOption(
      'to',
      to,
      `${from} (the version of the database) or more, since migrations only go forward`,
    );
  }
  const plugins = options.to === undefined ? (options.plugins ?? []) : [];
  const steps: MigrationStep[] = [];
  if (options.plan) {
    for (const step of known.slice(from, to)) steps.push(describeStep(step));
    for (const { plugin, migrations: of } of plugins) {
      const applied = verify(await appliedMigrations(client, schema, plugin), of, plugin);
      for (const step of of.slice(applied)) steps.push(describeStep(step, plugin));
    }
    return { schema, planned: true, from, current: from, steps };
  }
  const current = await runAll(client, schema, { ...options, known, to, steps }, from);
  for (const { plugin, migrations: of } of plugins) {
    const run = { ...options, known: of, to: of.length, plugin, steps };
    const applied = verify(await appliedMigrations(client, schema, plugin), of, plugin);
    await runAll(client, schema, run, applied);
  }
  return { schema, planned: false, from, current, steps };
}

/** Runs what is missing of one set, and answers the version that it came to. */
async function runAll(
  client: Queryable,
  schema: string,
  run: Run & { readonly steps: MigrationStep[] },
  from: number,
): Promise<number> {
  let current = from;
  while (current < run.to) {
    const done = await runNext(client, schema, run);
    if (done.step !== undefined) run.steps.push(done.step);
    current = done.current;
  }
  return current;
}

interface Run {
  readonly known: readonly Migration[];
  readonly plugin?: string | undefined;
  readonly to: number;
  readonly log?: ((line: string) => void) | undefined;
  readonly lockTimeoutMs?: number | undefined;
  readonly attempts?: number | undefined;
}

/** Runs the next migration; tries again, later and later, when locks or others are in its way. */
async function runNext(
  client: Queryable,
  schema: string,
  run: Run,
): Promise<{ current: number; step?: MigrationStep }> {
  const attempts = run.attempts ?? 10;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await attemptNext(client, schema, run);
    } catch (error) {
      const failure = databaseError(error);
      const locked = failure.details.sqlstate === '55P03';
      if (!locked && !isTransient(failure)) throw failure;
      if (attempt >= attempts) {
        throw new LineshaftError('MIGRATION_LOCKED', {
          message:
            `the migration did not get its locks in ${attempts} attempts; ` +
            'end long transactions on the tables of Lineshaft (lineshaft doctor names them) and try again',
          details: { attempts, sqlstate: failure.details.sqlstate },
          cause: error,
        });
      }
      const delayMs = Math.min(100 * 2 ** attempt, 5000);
      run.log?.(`others hold the locks; attempt ${attempt + 1} of ${attempts} in ${delayMs} ms`);
      await sleep(delayMs);
    }
  }
}

async function attemptNext(
  client: Queryable,
  schema: string,
  run: Run,
): Promise<{ current: number; step?: MigrationStep }> {
  await client.query('begin isolation level read committed read write');
  try {
    const settings = bindSchema(statements.migrationSettings.text, schema);
    const { rows } = await client.query(settings, [turnTimeoutMs]);
    const { transaction } = rows[0] as { transaction: string };
    await client.query(bindSchema(statements.migrationLock.text, schema));
    const state = await readState(client, schema);
    if (state.transaction !== transaction) {
      throw invalidOption(
        'client',
        client,
        'one connection, such as a Client of pg or one checked out of a pool',
      );
    }
    // Another process may have done it while this one waited for its turn.
    const applied = state.table_present ? await appliedMigrations(client, schema, run.plugin) : [];
    const current = verify(applied, run.known, run.plugin);
    const next = run.known[current];
    if (next === undefined || current >= run.to) {
      await client.query('rollback');
      return { current };
    }
    await client.query(settings, [run.lockTimeoutMs ?? 5000]);
    if (!state.schema_present) await client.query(bindSchema(statements.createSchema.text, schema));
    if (!state.table_present) await client.query(bindSchema(statements.createMigrationTable.text, schema));
    await apply(client, schema, next, run);
    await client.query('commit');
    return { current: next.version, step: describeStep(next, run.plugin) };
  } catch (error) {
    // Where the connection is lost, the server rolls back.
    await client.query('rollback').catch(() => {});
    throw error;
  }
}

async function apply(
  client: Queryable,
  schema: string,
  migration: Migration,
  { log, plugin }: Run,
): Promise<void> {
  const file = `${plugin === undefined ? '' : `${plugin}/`}${migrationFile(migration)}`;
  log?.(`${file}: ${lockCost(migration)}`);
  const startedMs = performance.now();
  try {
    await client.query(bindSchema(migration.text, schema));
  } catch (error) {
    const failure = databaseError(error);
    if (failure.details.sqlstate === '55P03' || isTransient(failure)) throw failure;
    // A name that its text misses is no missing schema.
    const code = failure.code === 'SCHEMA_MISSING' ? 'DATABASE_FAILED' : failure.code;
    throw new LineshaftError(code, {
      message: `migration ${file} failed and left nothing behind: ${failure.message}`,
      details: { ...failure.details, file },
      cause: error,
    });
  }
  const tookMs = Math.round(performance.now() - startedMs);
  const { version, name, checksum } = migration;
  await (plugin === undefined
    ? client.query(bindSchema(statements.recordMigration.text, schema), [version, name, checksum, tookMs])
    : client.query(bindSchema(statements.recordPluginMigration.text, schema), [
        version,
        name,
        checksum,
        tookMs,
        plugin,
      ]));
}

function checkTarget(to: number | undefined, latest: number): number {
  if (to === undefined) return latest;
  if (!Number.isInteger(to) || to < 1 || to > latest) {
    throw invalidOption('to', to, `a version from 1 to ${latest}`);
  }
  return to;
}

/** A pool may run each statement of a transaction on another connection. */
function demandOneConnection(client: Queryable): void {
  if ('totalCount' in client && 'idleCount' in client) throw severalConnections(client);
}

function severalConnections(client: Queryable): LineshaftError {
  return invalidOption(
    'client',
    client,
    'one connection, such as a Client of pg, or one checked out of a pool',
  );
}
