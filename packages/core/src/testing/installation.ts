/** An installation of Lineshaft for one test: a database of its own with the current schema. */
import pg from 'pg';
import { migrate } from '../store/migrate.ts';
import { createDatabase, type TestServer } from './server.ts';

export interface Installation extends AsyncDisposable {
  readonly url: string;
  /** A connection to it, which is closed with it. */
  readonly client: pg.Client;
  close(): Promise<void>;
}

/** Makes a database on a server, or on the server at this address, and migrates it. */
export async function install(server: TestServer | string, schema?: string): Promise<Installation> {
  const url = await createDatabase(server);
  const client = await openClient(url);
  await migrate(client, { schema });
  const close = (): Promise<void> => client.end().catch(() => {});
  return { url, client, close, [Symbol.asyncDispose]: close };
}

/** A connection that takes it quietly when its server is killed: its next query fails. */
export async function openClient(url: string, more: pg.ClientConfig = {}): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, ...more });
  client.on('error', () => {});
  await client.connect();
  return client;
}
