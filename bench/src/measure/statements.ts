/** What reaches a database while somebody else is measured. Asked from another database of the server, so as not to count. */
import pg from 'pg';
import type { OpenStore } from '../stores.ts';

/** Statistics of a session reach the counters this late at most while it does nothing. */
const FLUSH_MS = 1_500;

/** Transactions of a database since the call, those of autovacuum included. */
export async function countTransactions(
  store: OpenStore,
): Promise<{ since(): Promise<number> } & AsyncDisposable> {
  const client = await besides(store);
  const read = async (): Promise<number> => {
    await new Promise((resolve) => setTimeout(resolve, FLUSH_MS));
    await client.query('select pg_stat_clear_snapshot()');
    const text = 'select xact_commit + xact_rollback as n from pg_stat_database where datname = $1';
    const { rows } = await client.query<{ n: string }>(text, [store.name]);
    return Number(rows[0]?.n ?? 0);
  };
  const before = await read();
  return {
    since: async () => (await read()) - before,
    [Symbol.asyncDispose]: () => client.end(),
  };
}

/**
 * How often a session of a database was seen to have sent something, looking each half second: a lower bound of its
 * statements that is 0 only if there was none.
 */
export async function watchSessions(
  store: OpenStore,
): Promise<{ seen(): Promise<number>; silentMs(): Promise<number> } & AsyncDisposable> {
  const client = await besides(store);
  const known = new Map<number, string>();
  let seen = 0;
  const look = async (): Promise<void> => {
    const { rows } = await client.query<{ pid: number; at: string }>(
      `select pid, coalesce(query_start, backend_start)::text as at from pg_stat_activity
       where datname = $1 and backend_type = 'client backend'`,
      [store.name],
    );
    for (const { pid, at } of rows) {
      if (known.get(pid) !== at) seen += 1;
      known.set(pid, at);
    }
  };
  await look();
  seen = 0;
  const timer = setInterval(() => void look().catch(() => {}), 500);
  return {
    async seen() {
      await look();
      return seen;
    },
    async silentMs() {
      const { rows } = await client.query<{ ms: number | null }>(
        `select (extract(epoch from clock_timestamp() - max(query_start)) * 1000)::float as ms from pg_stat_activity
         where datname = $1 and backend_type = 'client backend'`,
        [store.name],
      );
      return rows[0]?.ms ?? 0;
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await client.end();
    },
  };
}

async function besides(store: OpenStore): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: store.url.replace(`/${store.name}`, '/postgres') });
  client.on('error', () => {});
  await client.connect();
  return client;
}
