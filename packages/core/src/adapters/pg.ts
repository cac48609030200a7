/** Enqueue in a transaction of `pg` (node-postgres). @module */

import { invalidOption } from '../domain/errors.ts';
import type { CallerTransaction } from '../queue/caller-transaction.ts';
import { afterTransaction, tellsItsState } from './pg-commit.ts';

/** What is used of a `Client`, or of a client that a `Pool` lent. */
export interface PgClient {
  query(statement: {
    readonly text: string;
    readonly values: unknown[];
    readonly name?: string;
  }): Promise<{ rows: Record<string, unknown>[] }>;
}

/**
 * A transaction that was begun on a client of `pg`. Workers are woken after its commit.
 *
 * @param client A connected `Client` or `PoolClient`; not the `Pool`, whose queries go to any connection.
 * @throws LineshaftError OPTION_INVALID where it is no client
 * @example
 * await client.query('begin');
 * await client.query('insert into account (name) values ($1)', ['Ada']);
 * await lineshaft.within(fromPg(client)).enqueue('send-email', { to: 'ada@example.org' });
 * await client.query('commit');
 */
export function fromPg(client: PgClient): CallerTransaction {
  const isObject = typeof client === 'object' && client !== null;
  if (!isObject || typeof client.query !== 'function' || 'totalCount' in client) {
    throw invalidOption(
      'client',
      client,
      'a Client of pg, or a client that a Pool lent (pool.connect()), not the Pool',
    );
  }
  return {
    query: async (text, values, name) => {
      const named = name !== undefined && (await isDirect(client)) ? { name } : {};
      return (await client.query({ text, values: [...values], ...named })).rows;
    },
    ...(tellsItsState(client) ? { afterCommit: (callback) => afterTransaction(client, callback) } : {}),
  };
}

/** What was found of each connection: whether it leads to the server itself. */
const direct = new WeakMap<object, boolean>();

/**
 * Whether statements may be prepared by name: not behind a pooler in transaction mode, which names a process of its
 * own when one connects. Asked once per connection.
 */
async function isDirect(client: PgClient): Promise<boolean> {
  const known = direct.get(client);
  if (known !== undefined) return known;
  const { rows } = await client.query({ text: 'select pg_backend_pid() as pid', values: [] });
  const found = (client as { readonly processID?: unknown }).processID === rows[0]?.['pid'];
  direct.set(client, found);
  return found;
}
