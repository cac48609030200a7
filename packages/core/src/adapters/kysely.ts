/** Enqueue in a transaction of Kysely. @module */

import { invalidOption } from '../domain/errors.ts';
import type { CallerTransaction } from '../queue/caller-transaction.ts';

/** What is used of a `Transaction` or a `ControlledTransaction`. */
export interface KyselyTransaction {
  readonly isTransaction: boolean;
  executeQuery(query: never): Promise<{ rows: unknown[] }>;
}

/**
 * A transaction of Kysely with a dialect of PostgreSQL. Workers are woken by a rate-limited NOTIFY in it,
 * since the library does not tell of commits.
 *
 * @param trx What `db.transaction().execute` gives to its function, or what `db.startTransaction()` gives.
 * @throws LineshaftError OPTION_INVALID where it is no transaction
 * @example
 * await db.transaction().execute(async (trx) => {
 *   await trx.insertInto('account').values({ name: 'Ada' }).execute();
 *   await lineshaft.within(fromKysely(trx)).enqueue('send-email', { to: 'ada@example.org' });
 * });
 */
export function fromKysely(trx: KyselyTransaction): CallerTransaction {
  if (typeof trx?.executeQuery !== 'function' || trx.isTransaction !== true) {
    throw invalidOption('trx', trx, 'a transaction of Kysely: db.transaction().execute(async (trx) => …)');
  }
  return {
    query: async (text, values) =>
      (await trx.executeQuery(compiled(text, values))).rows as Record<string, unknown>[],
  };
}

/** What `CompiledQuery.raw` of Kysely makes. */
function compiled(text: string, values: readonly unknown[]): never {
  const query = { kind: 'RawNode', sqlFragments: [text], parameters: [] };
  return { sql: text, parameters: values, query, queryId: { queryId: 'lineshaft' } } as never;
}
