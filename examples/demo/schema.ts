/** The demo's own schema: removed and locked when a run begins, left for looking at when it ends. */

import { Client } from 'pg';

/**
 * Removes what an earlier run left, and keeps other runs away until it is released.
 * @throws where another demo runs on the same database
 */
export async function ownSchema(databaseUrl: string, schema: string): Promise<{ release(): Promise<void> }> {
  const client = new Client({ connectionString: databaseUrl, application_name: 'lineshaft demo' });
  client.on('error', () => {});
  await client.connect();
  const { rows } = await client.query<{ locked: boolean }>(
    'select pg_try_advisory_lock(hashtextextended($1, 0)) as locked',
    [schema],
  );
  if (rows[0]?.locked !== true) {
    await client.end();
    throw new Error('another demo runs on this database; try again when it has ended');
  }
  await client.query(`set client_min_messages = warning; drop schema if exists ${schema} cascade`);
  return { release: () => client.end() };
}
