/** Limits as data: declare, list, show, delete. */

import { LineshaftError } from '../domain/errors.ts';
import { boundedText, maxDurationMs, wholeNumber } from '../domain/fields.ts';
import { type Limit, type LimitDeclaration, limitFromRow, validateLimit } from '../domain/limit.ts';
import { didYouMean } from '../domain/suggest.ts';
import type { Pool } from '../store/pool.ts';
import type { BoundStatements } from '../store/statements.ts';

/** What is in use of a limit under one key. */
export interface CounterView {
  readonly key: string;
  /** How much is in use. */
  readonly used: number;
  /** How much may be in use at once; undefined: any amount. */
  readonly concurrency: number | undefined;
  /** Tokens that are there now; undefined without a rate. Less than 0 where more was spent than there was. */
  readonly tokens: number | undefined;
  /** Keyed lanes whose jobs wait for room in it, at most 1,000. */
  readonly parkedLanes: number;
  /** Nothing starts before, because it was throttled. */
  readonly closedUntil: Date | undefined;
}

/** Jobs that are moved in one statement after a change. */
const relaneBatch = 1_000;
const counterMax = 100;

export class LimitBook {
  private readonly pool: Pool;
  private readonly statements: BoundStatements;

  constructor(pool: Pool, statements: BoundStatements) {
    this.pool = pool;
    this.statements = statements;
  }

  /** @throws LineshaftError OPTION_INVALID, OPTION_UNKNOWN, PROJECT_NOT_FOUND, LIMIT_FIXED */
  async declare(declaration: LimitDeclaration): Promise<Limit> {
    const { name, project, settings } = validateLimit(declaration);
    const [row] = await this.pool.query(this.statements.declareLimit, [
      project,
      name,
      JSON.stringify(settings),
    ]);
    await relane(this.pool, this.statements);
    return limitFromRow(row as Record<string, unknown>);
  }

  async list(): Promise<Limit[]> {
    return (await this.pool.query(this.statements.listLimits)).map((row) => limitFromRow(row));
  }

  /** The keys in use of a limit, those first that jobs wait for; at most 100. @throws LineshaftError LIMIT_NOT_FOUND */
  async show(name: string, project: string): Promise<{ limit: Limit; counters: CounterView[] }> {
    const limit = await this.find(name, project);
    const rows = await this.pool.query<CounterRow>(this.statements.showCounters, [limit.id, counterMax]);
    return {
      limit,
      counters: rows.map((row) => ({
        key: row.key,
        used: row.used,
        concurrency: row.concurrency ?? undefined,
        tokens: row.tokens ?? undefined,
        parkedLanes: row.parked,
        closedUntil: row.closed_until ?? undefined,
      })),
    };
  }

  /** Its jobs may go on. @throws LineshaftError LIMIT_NOT_FOUND */
  async delete(name: string, project: string): Promise<void> {
    await this.find(name, project);
    await this.pool.query(this.statements.deleteLimit, [project, name]);
    await relane(this.pool, this.statements);
  }

  /** @throws LineshaftError LIMIT_NOT_FOUND, OPTION_INVALID */
  async throttle(name: string, project: string, key: string, forMs: number): Promise<void> {
    wholeNumber(forMs, 'forMs', 0, maxDurationMs);
    const values = [project, name, boundedText(key, 'key', 0, 1_000), forMs];
    const [row] = await this.pool.query<{ throttled: boolean }>(this.statements.throttleLimit, values);
    if (row?.throttled !== true) await this.find(name, project);
  }

  private async find(name: string, project: string): Promise<Limit> {
    const limits = (await this.list()).filter((limit) => limit.project === project);
    const found = limits.find((limit) => limit.name === name);
    if (found !== undefined) return found;
    const meant = didYouMean(
      name,
      limits.map((limit) => limit.name),
    );
    throw new LineshaftError('LIMIT_NOT_FOUND', {
      message: `limit '${name}' not found in project '${project}'${meant}`,
      details: { limit: name, project },
    });
  }
}

/** Jobs that wait already come under what was declared, batch by batch. */
export async function relane(pool: Pool, statements: BoundStatements): Promise<void> {
  for (;;) {
    const [row] = await pool.query<{ moved: number }>(statements.relane, [relaneBatch, true]);
    if ((row?.moved ?? 0) === 0) return;
  }
}

interface CounterRow {
  readonly key: string;
  readonly used: number;
  readonly concurrency: number | null;
  readonly tokens: number | null;
  readonly parked: number;
  readonly closed_until: Date | null;
}
