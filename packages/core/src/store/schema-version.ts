/**
 * At which version the schema of an installation is, by the table that `migrate` keeps, and whether this
 * version of Lineshaft can work with it. Reads only.
 */
import { LineshaftError } from '../domain/errors.ts';
import { databaseError } from './database-error.ts';
import { migrations } from './migrations.generated.ts';
import { bindSchema, checkSchemaName } from './schema-name.ts';
import { statements } from './statements.generated.ts';

/** One connection to the database, such as a `Client` of `pg`, connected; not a pool. */
export interface Queryable {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
}

export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
  readonly text: string;
}

/** The migrations of Lineshaft, or of one plugin. */
export interface MigrationSet {
  /** Undefined: those of Lineshaft. */
  readonly plugin?: string | undefined;
  readonly migrations: readonly Migration[];
}

export interface MigrationStep {
  /** Whose it is; undefined: one of Lineshaft. */
  readonly plugin?: string;
  readonly version: number;
  readonly file: string;
  /** What it locks for how long, from the header of its file. */
  readonly lockCost: string;
}

export interface SchemaStatus {
  readonly current: number;
  readonly latest: number;
  readonly pending: readonly MigrationStep[];
}

export interface AppliedMigration {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
  readonly applied_at: string;
}

/** What is there of an installation, and the number of the transaction that asks. */
export interface SchemaState {
  readonly transaction: string | null;
  readonly schema_present: boolean;
  readonly table_present: boolean;
  readonly plugin_table_present: boolean;
}

export async function readState(client: Queryable, schema: string): Promise<SchemaState> {
  const { rows } = await client.query(bindSchema(statements.migrationState.text, schema));
  return rows[0] as SchemaState;
}

/** How far the schema of a database is. Changes nothing. @throws MIGRATION_CHANGED, SCHEMA_NEWER */
export async function schemaStatus(
  client: Queryable,
  schema?: string,
  known: readonly Migration[] = migrations,
): Promise<SchemaStatus> {
  const current = verify(await appliedMigrations(client, checkSchemaName(schema)), known);
  return { current, latest: known.length, pending: known.slice(current).map((step) => describeStep(step)) };
}

/**
 * Refuses a database whose schema is missing or older. @throws SCHEMA_MISSING, SCHEMA_NEWER,
 * MIGRATION_CHANGED
 */
export async function demandSchema(
  client: Queryable,
  schema?: string,
  plugins: readonly MigrationSet[] = [],
): Promise<void> {
  const { current, latest } = await schemaStatus(client, schema);
  const name = checkSchemaName(schema);
  for (const { plugin, migrations: known } of current === latest ? plugins : []) {
    const applied = verify(await appliedMigrations(client, name, plugin), known, plugin);
    if (applied === known.length) continue;
    throw new LineshaftError('SCHEMA_MISSING', {
      message: `plugin '${plugin}' is at version ${applied} in the schema '${name}' and ${known.length} is needed; call migrate()`,
      details: { schema: name, plugin, current: applied, latest: known.length },
    });
  }
  if (current === latest) return;
  throw new LineshaftError('SCHEMA_MISSING', {
    message:
      current === 0
        ? `the database has no schema '${name}' of Lineshaft; run: lineshaft migrate, or call migrate()`
        : `the schema '${name}' is at version ${current} and ${latest} is needed; run: lineshaft migrate`,
    details: { schema: name, current, latest },
  });
}

/** What was applied to a schema, as it stands in the database: of Lineshaft, or of a plugin. */
export async function appliedMigrations(
  client: Queryable,
  schema: string,
  plugin?: string,
): Promise<AppliedMigration[]> {
  try {
    const { table_present, plugin_table_present } = await readState(client, schema);
    if (!(plugin === undefined ? table_present : plugin_table_present)) return [];
    const { rows } =
      plugin === undefined
        ? await client.query(bindSchema(statements.migrationsApplied.text, schema))
        : await client.query(bindSchema(statements.pluginMigrationsApplied.text, schema), [plugin]);
    return rows as AppliedMigration[];
  } catch (error) {
    throw databaseError(error);
  }
}

/** The name of a migration's file, by which people know it. */
export function migrationFile(migration: { readonly version: number; readonly name: string }): string {
  return `${String(migration.version).padStart(4, '0')}_${migration.name}.sql`;
}

/** Compares what was applied with what is known, and returns the version. @throws SCHEMA_NEWER, MIGRATION_CHANGED */
export function verify(
  applied: readonly AppliedMigration[],
  known: readonly Migration[],
  plugin?: string,
): number {
  const whose = plugin === undefined ? '' : ` of plugin '${plugin}'`;
  const newest = applied.at(-1);
  if (newest !== undefined && newest.version > known.length) {
    throw new LineshaftError('SCHEMA_NEWER', {
      message:
        `the schema${whose} is at version ${newest.version} (${migrationFile(newest)}) and this version of ` +
        `${plugin === undefined ? 'Lineshaft' : 'it'} knows ${known.length}; deploy a version that knows it`,
      details: { current: newest.version, latest: known.length },
    });
  }
  for (const [index, row] of applied.entries()) {
    const migration = known[index];
    if (migration === undefined || row.version !== migration.version) {
      throw changed(
        known[index] ?? row,
        whose,
        `is not in the list of the database, but version ${row.version} is`,
      );
    }
    if (row.checksum !== migration.checksum) {
      throw changed(
        migration,
        whose,
        `was changed after it was applied on ${row.applied_at}; restore the file`,
      );
    }
  }
  return applied.length;
}

function changed(migration: { version: number; name: string }, whose: string, what: string): LineshaftError {
  const file = migrationFile(migration);
  return new LineshaftError('MIGRATION_CHANGED', {
    message: `migration ${file}${whose} ${what}`,
    details: { file, version: migration.version },
  });
}

/** A migration as reports tell of it. */
export function describeStep(migration: Migration, plugin?: string): MigrationStep {
  return {
    ...(plugin === undefined ? {} : { plugin }),
    version: migration.version,
    file: migrationFile(migration),
    lockCost: lockCost(migration),
  };
}

export function lockCost(migration: Migration): string {
  return /^-- Lock cost: (.*)$/m.exec(migration.text)?.[1] ?? 'not stated';
}
