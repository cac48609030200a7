/**
 * Programs that use real clients of Conductor, run against a server of ours: they must see what they saw of the
 * reference server, which is kept in `seen/`.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createDatabase } from '../../packages/core/src/testing/server.ts';
import { clients } from './clients.ts';
import { type OurServer, startOurs } from './ours.ts';
import { runClient } from './run-client.ts';

/** The first time a client is installed; then a program takes some ten seconds. */
const timeoutMs = 600_000;

let server: OurServer;

beforeAll(async () => {
  server = await startOurs(await createDatabase(inject('postgres18')));
});

afterAll(async () => {
  await server?.stop();
});

test.each(clients)(
  '$name sees of our server what it saw of the real one',
  { timeout: timeoutMs },
  async (client) => {
    const { lines } = await runClient(client, `${server.url}/api`);
    expect(lines).toEqual(
      JSON.parse(readFileSync(new URL(`seen/${client.name}.json`, import.meta.url), 'utf8')),
    );
    // Warnings tell of what the programs did wrong on purpose.
    expect(server.log()).not.toContain('"level":"error"');
  },
);
