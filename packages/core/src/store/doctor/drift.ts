/**
 * Whether the schema in the database is the one that the migrations make. The expected picture comes from the
 * migrations themselves: they are run in a scratch schema, in a transaction that is rolled back.
 */
import { randomBytes } from 'node:crypto';
import { migrations } from '../migrations.generated.ts';
import { bindSchema } from '../schema-name.ts';
import { appliedMigrations } from '../schema-version.ts';
import { statements } from '../statements.generated.ts';
import { ask, type Check, type Examination, type Finding } from './finding.ts';

/** An object of a schema as `doctor_objects.sql` describes it. */
export interface SchemaObject {
  readonly kind: string;
  readonly name: string;
  /** The table that it is part of. */
  readonly parent: string | null;
  readonly definition: string;
}

export interface Difference {
  readonly kind: 'missing' | 'extra' | 'changed';
  readonly expected: SchemaObject | undefined;
  readonly actual: SchemaObject | undefined;
}

const lockTimeoutMs = 5_000;

export const driftCheck: Check = {
  code: 'drift',
  fine: 'the schema is as the migrations make it',
  needsSchema: true,
  async run(examination) {
    try {
      const { length: version } = await appliedMigrations(examination.client, examination.schema);
      if (version > migrations.length)
        return [
          notCompared(
            'This version of Lineshaft does not know its latest migrations.',
            'Use the version that does.',
          ),
        ];
      const { expected, actual } = await readBoth(examination, version);
      return compareObjects(expected, actual).map(describeDifference);
    } catch (error) {
      if ((error as { code?: unknown }).code !== '42501') throw error;
      return [
        notCompared(
          'This takes a scratch schema, in a transaction that is rolled back, and the user may not make one.',
          'Run it as a user with the right CREATE on the database.',
        ),
      ];
    }
  },
};

/**
 * What is missing, extra or different. Parts of a table that is missing or extra are not told again. Pure.
 */
export function compareObjects(
  expected: readonly SchemaObject[],
  actual: readonly SchemaObject[],
): Difference[] {
  const left = new Map(expected.map((object) => [`${object.kind} ${object.name}`, object]));
  const right = new Map(actual.map((object) => [`${object.kind} ${object.name}`, object]));
  const differences: Difference[] = [];
  for (const [key, object] of left) {
    const other = right.get(key);
    if (other === undefined) {
      const gone = object.parent !== null && !right.has(`table ${object.parent}`);
      if (!gone) differences.push({ kind: 'missing', expected: object, actual: undefined });
    } else if (other.definition !== object.definition) {
      differences.push({ kind: 'changed', expected: object, actual: other });
    }
  }
  for (const [key, object] of right) {
    // Plugins name what they make so.
    if (left.has(key) || (object.parent ?? object.name).startsWith('plugin_')) continue;
    const foreign = object.parent !== null && !left.has(`table ${object.parent}`);
    if (!foreign) differences.push({ kind: 'extra', expected: undefined, actual: object });
  }
  return differences;
}

async function readBoth(
  examination: Examination,
  version: number,
): Promise<{ expected: SchemaObject[]; actual: SchemaObject[] }> {
  const { client, schema } = examination;
  const scratch = `lineshaft_scratch_${randomBytes(8).toString('hex')}`;
  await client.query('begin isolation level read committed read write');
  try {
    const actual = await readObjects(examination, schema);
    await client.query(bindSchema(statements.migrationSettings.text, scratch), [lockTimeoutMs]);
    await client.query(bindSchema(statements.createSchema.text, scratch));
    await client.query(bindSchema(statements.createMigrationTable.text, scratch));
    // Only what was applied is expected: what is pending is another finding.
    for (const { text } of migrations.slice(0, version)) await client.query(bindSchema(text, scratch));
    const expected = await readObjects(examination, scratch);
    return { expected, actual };
  } finally {
    await client.query('rollback');
  }
}

async function readObjects(examination: Examination, schema: string): Promise<SchemaObject[]> {
  await ask(examination, statements.doctorSearchPath, [schema]);
  return await ask<SchemaObject>(examination, statements.doctorObjects, [schema, examination.schema]);
}

function describeDifference({ kind, expected, actual }: Difference): Finding {
  const object = expected ?? actual;
  const name = `${object?.kind ?? 'object'} ${object?.name ?? ''}`;
  const place = object?.parent != null && object.kind !== 'column' ? ` of table ${object.parent}` : '';
  if (kind === 'extra') {
    return {
      code: 'drift-extra',
      severity: 'warning',
      title: `${name}${place} is there and no migration makes it`,
      detail: `It is: ${actual?.definition ?? ''}`,
      remedy: 'Drop it if nothing of yours needs it; better keep your objects in a schema of your own.',
    };
  }
  const remedy =
    object?.kind === 'index'
      ? `Make it again: ${expected?.definition ?? ''}`
      : 'Undo what was changed by hand; the files of the migrations have the text.';
  return {
    code: `drift-${kind}`,
    severity: 'error',
    title: `${name}${place} ${kind === 'missing' ? 'is missing' : 'differs from what the migrations make'}`,
    detail:
      kind === 'missing'
        ? `It should be: ${expected?.definition ?? ''}`
        : `It should be: ${expected?.definition ?? ''}\nIt is: ${actual?.definition ?? ''}`,
    remedy,
  };
}

function notCompared(detail: string, remedy: string): Finding {
  const title = 'the schema was not compared with the migrations';
  return { code: 'drift-unknown', severity: 'warning', title, detail, remedy };
}
