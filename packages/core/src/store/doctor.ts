/**
 * The doctor: looks for what will make Lineshaft slow, stuck or unsafe on this database, and says what to do.
 * It changes nothing; the drift check makes a scratch schema in a transaction that it rolls back. Each check
 * is in a file of its own under `doctor/`.
 */
import { databaseError } from './database-error.ts';
import { clockCheck } from './doctor/clock.ts';
import { driftCheck } from './doctor/drift.ts';
import {
  type Check,
  type DoctorLimits,
  defaultLimits,
  type Examination,
  type Finding,
} from './doctor/finding.ts';
import { detachingCheck, partitionsCheck } from './doctor/partitions.ts';
import { poolerCheck } from './doctor/pooler.ts';
import { settingsCheck } from './doctor/server-settings.ts';
import { deadTuplesCheck, pinnedVacuumCheck } from './doctor/vacuum.ts';
import { lostWorkersCheck, waitingJobsCheck } from './doctor/workers.ts';
import { checkSchemaName } from './schema-name.ts';
import { type Queryable, readState, schemaStatus } from './schema-version.ts';

export type { DoctorLimits, Finding } from './doctor/finding.ts';

const checks: readonly Check[] = [
  settingsCheck,
  poolerCheck,
  clockCheck,
  driftCheck,
  partitionsCheck,
  detachingCheck,
  deadTuplesCheck,
  pinnedVacuumCheck,
  waitingJobsCheck,
  lostWorkersCheck,
];

/** Of one check; a broken installation may differ in a thousand places. */
const mostFindings = 50;

export interface ExamineOptions {
  /** @default 'lineshaft' */
  readonly schema?: string | undefined;
  /** Milliseconds since 1970 by the clock of this process. */
  readonly now: () => number;
  /** Another connection to the same address: with it a pooler's transaction mode is recognised for sure. */
  readonly second?: Queryable | undefined;
  readonly limits?: Partial<DoctorLimits> | undefined;
}

/**
 * Examines an installation. A check that finds nothing gives one finding of severity `ok`, so that the result
 * also tells what was looked at; a check that fails gives an `error`, and the others go on.
 *
 * @param client one connection, not a pool, outside of any transaction
 * @throws OPTION_INVALID, DATABASE_UNAVAILABLE
 */
export async function examine(client: Queryable, options: ExamineOptions): Promise<Finding[]> {
  const examination: Examination = {
    client,
    second: options.second,
    schema: checkSchemaName(options.schema),
    now: options.now,
    limits: { ...defaultLimits, ...options.limits },
  };
  const version = await examineVersion(examination);
  const findings = [version.finding];
  for (const check of checks) {
    if (check.needsSchema && !version.present) continue;
    const found = await runCheck(check, examination);
    findings.push(...found.slice(0, mostFindings));
    const left = found.length - mostFindings;
    const [first] = found;
    if (left > 0 && first !== undefined) {
      findings.push({ ...first, title: `${left} more findings of this check are not listed`, detail: '' });
    }
  }
  return findings;
}

async function runCheck(check: Check, examination: Examination): Promise<Finding[]> {
  try {
    const found = await check.run(examination);
    return found.length > 0 ? found : [fine(check.code, check.fine)];
  } catch (error) {
    const failure = databaseError(error);
    if (failure.code === 'DATABASE_UNAVAILABLE') throw failure;
    return [
      {
        code: `${check.code}-failed`,
        severity: 'error',
        title: `the check '${check.code}' could not be made`,
        detail: failure.message,
        remedy: 'Look for what is missing in the other findings, or run it as a user with more rights.',
      },
    ];
  }
}

/** Whether there is a schema, and of which version. */
async function examineVersion({
  client,
  schema,
}: Examination): Promise<{ finding: Finding; present: boolean }> {
  try {
    const { current, latest, pending } = await schemaStatus(client, schema);
    if (pending.length === 0) {
      return { finding: fine('schema', `the schema '${schema}' is at version ${latest}`), present: true };
    }
    const title =
      current === 0
        ? `the database has no schema '${schema}' of Lineshaft`
        : `the schema '${schema}' is at version ${current}; ${latest} is needed`;
    const detail = `Pending: ${pending.map(({ file }) => file).join(', ')}`;
    const remedy = 'Run: lineshaft migrate';
    return {
      finding: { code: 'schema-missing', severity: 'error', title, detail, remedy },
      present: current > 0,
    };
  } catch (error) {
    const failure = databaseError(error);
    const known = failure.code === 'SCHEMA_NEWER' || failure.code === 'MIGRATION_CHANGED';
    if (!known) throw failure;
    const { table_present: present } = await readState(client, schema);
    const code = failure.code === 'SCHEMA_NEWER' ? 'schema-newer' : 'migration-changed';
    const remedy =
      code === 'schema-newer' ? 'Deploy a version that knows it.' : 'Restore the file of that migration.';
    return { finding: { code, severity: 'error', title: failure.message, detail: '', remedy }, present };
  }
}

function fine(code: string, title: string): Finding {
  return { code, severity: 'ok', title, detail: '', remedy: '' };
}
