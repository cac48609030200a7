/** Enqueue in a transaction of postgres.js. @module */

import { invalidOption } from '../domain/errors.ts';
import type { CallerTransaction } from '../queue/caller-transaction.ts';

/** What is used of the `sql` that `begin`, `savepoint` and `reserve` give. */
export interface PostgresSql {
  unsafe(text: string, values: never[]): PromiseLike<readonly object[]>;
  typed: unknown;
}

/** The number of PostgreSQL's type `text`. */
const textType = 25;

/**
 * A transaction of postgres.js. Workers are woken by a rate-limited NOTIFY in it, since the library does not
 * tell of commits. A statement that the database refuses makes postgres.js roll back at the end, even if you
 * catch the error.
 *
 * @param sql What `sql.begin` or `savepoint` gives to its function, or a reserved connection; not the `sql`
 * outside.
 * @throws LineshaftError OPTION_INVALID where it is not that
 * @example
 * await sql.begin(async (sql) => {
 *   await sql`insert into account (name) values (${'Ada'})`;
 *   await lineshaft.within(fromPostgres(sql)).enqueue('send-email', { to: 'ada@example.org' });
 * });
 */
export function fromPostgres(sql: PostgresSql): CallerTransaction {
  const given = sql as
    | Partial<Record<'unsafe' | 'typed' | 'savepoint' | 'release', unknown>>
    | undefined
    | null;
  const bound = typeof given?.savepoint === 'function' || typeof given?.release === 'function';
  if (!bound || typeof given?.unsafe !== 'function' || typeof given.typed !== 'function') {
    throw invalidOption('sql', sql, 'the sql of postgres.js inside of sql.begin(async (sql) => …)');
  }
  const typed = given.typed as (value: string, type: number) => never;
  return {
    query: async (text, values) => {
      // Sent as texts, which the casts of the statement turn into what they are: postgres.js would make JSON
      // of JSON.
      const texts = values.map((value) =>
        value === null ? (null as never) : typed(String(value), textType),
      );
      return (await sql.unsafe(text, texts)) as readonly Record<string, unknown>[];
    },
  };
}
