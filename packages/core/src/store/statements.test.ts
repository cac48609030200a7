import pg from 'pg';
import { describe, expect, inject, test } from 'vitest';
import { createDatabase } from '../testing/server.ts';
import { migrate } from './migrate.ts';
import { bindStatements } from './statements.ts';

describe.each(['postgres15', 'postgres18'] as const)('on %s', (server) => {
  test('every statement prepares on both servers', async () => {
    const client = new pg.Client({ connectionString: await createDatabase(inject(server)) });
    await client.connect();
    const refused: string[] = [];
    try {
      await migrate(client, { schema: 'elsewhere' });
      for (const { name, text } of Object.values(bindStatements('elsewhere'))) {
        // SQL cannot prepare what makes, drops or vacuums objects.
        if (/^(create|drop|vacuum) /.test(text)) continue;
        await client.query(`prepare ${name} as ${text}`).catch((error: Error) => {
          refused.push(`${name}: ${error.message}`);
        });
      }
    } finally {
      await client.end();
    }
    expect(refused).toEqual([]);
  });
});
