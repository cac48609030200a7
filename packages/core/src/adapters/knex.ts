/** Enqueue in a transaction of Knex. @module */

import { invalidOption } from '../domain/errors.ts';
import type { CallerTransaction } from '../queue/caller-transaction.ts';

/** What is used of a `Knex.Transaction`. */
export interface KnexTransaction {
  raw(text: string, bindings: never): PromiseLike<unknown> & { toString(): string };
  readonly executionPromise: Promise<unknown>;
  readonly isTransaction?: boolean;
}

/**
 * A transaction of Knex with the client `pg`. Workers are woken after its commit; where it is nested (a
 * savepoint), after that of the outermost.
 *
 * @param trx What `knex.transaction` gives.
 * @throws LineshaftError OPTION_INVALID where it is no transaction
 * @example
 * await knex.transaction(async (trx) => {
 *   await trx('account').insert({ name: 'Ada' });
 *   await lineshaft.within(fromKnex(trx)).enqueue('send-email', { to: 'ada@example.org' });
 * });
 */
export function fromKnex(trx: KnexTransaction): CallerTransaction {
  if (typeof trx?.raw !== 'function' || trx.isTransaction !== true) {
    throw invalidOption('trx', trx, 'a transaction of Knex: knex.transaction(async (trx) => …)');
  }
  const ended = outermost(trx).executionPromise;
  return {
    query: async (text, values) => {
      const { marked, bindings } = questionMarks(text, values);
      const raw = trx.raw(marked, bindings as never);
      try {
        return ((await raw) as { rows: Record<string, unknown>[] }).rows;
      } catch (error) {
        throw withoutStatement(error, raw.toString());
      }
    },
    ...(typeof ended?.then === 'function'
      ? { afterCommit: (callback) => afterSuccess(ended, callback) }
      : {}),
  };
}

function outermost(trx: KnexTransaction): KnexTransaction {
  const { parentTransaction } = trx as { parentTransaction?: KnexTransaction };
  return parentTransaction === undefined ? trx : outermost(parentTransaction);
}

function afterSuccess(ended: Promise<unknown>, callback: () => void): void {
  // A roll-back is the business of those who hold the transaction.
  ended.then(callback, () => {});
}

/** `$1` becomes `?`, with its value in its place; values are never put into the text. */
function questionMarks(text: string, values: readonly unknown[]): { marked: string; bindings: unknown[] } {
  const bindings: unknown[] = [];
  const marked = text.replaceAll('?', '\\?').replaceAll(/\$(\d+)/g, (_, number: string) => {
    bindings.push(values[Number(number) - 1] ?? null);
    return '?';
  });
  return { marked, bindings };
}

/** Knex puts the statement, with all payloads, before the messages of errors. */
function withoutStatement(error: unknown, statement: string): unknown {
  if (error instanceof Error && error.message.startsWith(`${statement} - `)) {
    error.message = error.message.slice(statement.length + 3);
  }
  return error;
}
