/** Enqueue in a transaction of TypeORM. @module */

import { invalidOption } from '../domain/errors.ts';
import type { CallerTransaction } from '../queue/caller-transaction.ts';
import { afterTransaction, tellsItsState } from './pg-commit.ts';

/** What is used of a `QueryRunner`. */
export interface TypeOrmQueryRunner {
  readonly isTransactionActive: boolean;
  startTransaction(): Promise<void>;
  query(text: string, values: unknown[]): Promise<unknown>;
}

/** What is used of an `EntityManager`. */
export interface TypeOrmManager {
  readonly queryRunner?: TypeOrmQueryRunner | undefined;
}

/**
 * A transaction of TypeORM with the driver `postgres`. Workers are woken after its commit.
 *
 * @param given The manager that `dataSource.transaction` gives to its function, or a query runner with a
 * transaction.
 * @throws LineshaftError OPTION_INVALID where there is no transaction
 * @example
 * await dataSource.transaction(async (manager) => {
 *   await manager.insert(Account, { name: 'Ada' });
 *   await lineshaft.within(fromTypeOrm(manager)).enqueue('send-email', { to: 'ada@example.org' });
 * });
 */
export function fromTypeOrm(given: TypeOrmManager | TypeOrmQueryRunner): CallerTransaction {
  const runner = runnerOf(given);
  if (runner === undefined) {
    throw invalidOption(
      'manager',
      given,
      'the manager of a transaction of TypeORM: dataSource.transaction(async (manager) => …)',
    );
  }
  const client = (runner as { databaseConnection?: unknown }).databaseConnection;
  return {
    query: async (text, values) =>
      (await runner.query(text, [...values])) as readonly Record<string, unknown>[],
    ...(tellsItsState(client) ? { afterCommit: (callback) => afterTransaction(client, callback) } : {}),
  };
}

function runnerOf(given: unknown): TypeOrmQueryRunner | undefined {
  if (typeof given !== 'object' || given === null) return undefined;
  const { queryRunner = given } = given as { queryRunner?: unknown };
  const { isTransactionActive, startTransaction, query } = (queryRunner ?? {}) as Partial<TypeOrmQueryRunner>;
  const isRunner = typeof startTransaction === 'function' && typeof query === 'function';
  if (!isRunner || isTransactionActive !== true) return undefined;
  return queryRunner as TypeOrmQueryRunner;
}
