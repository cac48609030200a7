/**
 * Hears of the end of a transaction on a client of `pg`, for all adapters that get at one: after each
 * statement the server tells whether a transaction is open, and the client passes that on as an event of its
 * connection.
 */

/** What is used of a client of `pg`, which may lack it: the native one has no such connection. */
export interface MaybePgClient {
  readonly connection?: unknown;
}

interface PgConnection {
  on(event: 'readyForQuery', listener: (message: { status?: string }) => void): unknown;
  once(event: 'end', listener: () => void): unknown;
  removeListener(event: string, listener: (message: { status?: string }) => void): unknown;
}

/** The calls that wait for each connection; one listener serves them all. */
const waiting = new WeakMap<object, (() => void)[]>();

/** Whether `afterTransaction` works with it. */
export function tellsItsState(client: unknown): client is { readonly connection: object } {
  if (typeof client !== 'object' || client === null) return false;
  const { connection } = client as MaybePgClient;
  if (typeof connection !== 'object' || connection === null) return false;
  const { on, once, removeListener } = connection as Partial<PgConnection>;
  return [on, once, removeListener].every((method) => typeof method === 'function');
}

/** Calls back once, when no transaction is open any more or the connection is gone. */
export function afterTransaction(client: { readonly connection: object }, callback: () => void): void {
  const connection = client.connection as PgConnection;
  const calls = waiting.get(connection);
  if (calls !== undefined) {
    calls.push(callback);
    return;
  }
  const all = [callback];
  waiting.set(connection, all);
  const end = (): void => {
    connection.removeListener('readyForQuery', look);
    connection.removeListener('end', end);
    waiting.delete(connection);
    for (const call of all) call();
  };
  const look = ({ status }: { status?: string }): void => {
    if (status === 'I') end();
  };
  connection.on('readyForQuery', look);
  connection.once('end', end);
}
