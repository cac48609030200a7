/** Enqueue in a transaction of Drizzle ORM. @module */

import { invalidOption } from '../domain/errors.ts';
import type { CallerTransaction } from '../queue/caller-transaction.ts';
import { afterTransaction, tellsItsState } from './pg-commit.ts';

/** What is used of a transaction of any driver for PostgreSQL. */
export interface DrizzleTransaction {
  execute(query: never): PromiseLike<unknown>;
  rollback(): never;
}

/**
 * A transaction of Drizzle ORM with a driver for PostgreSQL. Over `pg` workers are woken after its commit;
 * other drivers do not tell of commits: there by a rate-limited NOTIFY in it.
 *
 * @param tx What `db.transaction` gives to its function.
 * @throws LineshaftError OPTION_INVALID where it is no transaction
 * @example
 * await db.transaction(async (tx) => {
 *   await tx.insert(account).values({ name: 'Ada' });
 *   await lineshaft.within(fromDrizzle(tx)).enqueue('send-email', { to: 'ada@example.org' });
 * });
 */
export function fromDrizzle(tx: DrizzleTransaction): CallerTransaction {
  if (typeof tx?.execute !== 'function' || typeof tx.rollback !== 'function') {
    throw invalidOption('tx', tx, 'a transaction of Drizzle: db.transaction(async (tx) => …)');
  }
  const client = (tx as { session?: { client?: unknown } }).session?.client;
  return {
    query: async (text, values) => rowsOf(await tx.execute(statement(text, values))),
    ...(tellsItsState(client) ? { afterCommit: (callback) => afterTransaction(client, callback) } : {}),
  };
}

/** What Drizzle calls an `SQLWrapper`, of a statement that is ready: its values stay beside the text. */
function statement(text: string, values: readonly unknown[]): never {
  return { getSQL: () => ({ toQuery: () => ({ sql: text, params: [...values] }) }) } as never;
}

/** Drivers answer with the rows, or with an object that has them. */
function rowsOf(answer: unknown): readonly Record<string, unknown>[] {
  const rows = Array.isArray(answer) ? answer : (answer as { rows?: unknown } | undefined)?.rows;
  if (!Array.isArray(rows)) throw invalidOption('tx', rows, 'a transaction of a driver for PostgreSQL');
  return rows as Record<string, unknown>[];
}
