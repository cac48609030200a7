/** What `examine` finds, and what its checks get to find it with. */
import { bindSchema } from '../schema-name.ts';
import type { Queryable } from '../schema-version.ts';

export type Severity = 'ok' | 'warning' | 'error';

/** One thing that was looked at, as a person reads it and a program matches it (by `code`). */
export interface Finding {
  readonly code: string;
  readonly severity: Severity;
  /** One line: what is so. */
  readonly title: string;
  /** The facts; empty where the title says all. */
  readonly detail: string;
  /** What to do; empty where nothing is to be done. */
  readonly remedy: string;
}

/** From which values on something is a finding. */
export interface DoctorLimits {
  /** Dead rows by table. */
  readonly deadTuples: Readonly<Record<string, number>>;
  /** Age of a transaction that pins vacuum, in milliseconds. */
  readonly openTransactionMs: number;
  /** How many transactions a replication slot or a standby may be behind. */
  readonly behindTransactions: number;
  /** Difference between the clocks of this process and the database, in milliseconds. */
  readonly clockSkewMs: number;
  /** For how many days after today history partitions must be there. */
  readonly partitionDays: number;
}

export const defaultLimits: DoctorLimits = {
  // Some times what lets autovacuum begin, which the migrations set; then it does not keep up.
  deadTuples: { job: 200_000, ready: 100_000, later: 100_000, lease: 50_000, unique_key: 200_000 },
  openTransactionMs: 5 * 60_000,
  behindTransactions: 1_000_000,
  clockSkewMs: 1_000,
  partitionDays: 3,
};

export interface Examination {
  readonly client: Queryable;
  /** Another connection on the same way to the database, if there is one. */
  readonly second: Queryable | undefined;
  readonly schema: string;
  /** Milliseconds since 1970 by the clock of this process. */
  readonly now: () => number;
  readonly limits: DoctorLimits;
}

export interface Check {
  readonly code: string;
  /** What to say when nothing was found. */
  readonly fine: string;
  /** Whether it needs the tables of Lineshaft. */
  readonly needsSchema: boolean;
  readonly run: (examination: Examination) => Promise<Finding[]>;
}

/**
 * Runs a statement of the doctor, bound to the schema. The caller knows the rows by the statement's contract.
 */
export async function ask<Row>(
  { client, schema }: Pick<Examination, 'client' | 'schema'>,
  statement: { readonly text: string },
  values: unknown[] = [],
): Promise<Row[]> {
  const { rows } = await client.query(bindSchema(statement.text, schema), values);
  return rows as Row[];
}

/** A time span as a person reads it. */
export function describeSpan(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 120) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}
