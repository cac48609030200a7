import { existsSync } from 'node:fs';
import pg from 'pg';
import { afterAll, describe, expect, inject, test } from 'vitest';
import { createDatabase, startServer, type TestServer } from './server.ts';

const servers: TestServer[] = [];
afterAll(() => Promise.all(servers.map((server) => server.stop())));

async function ask(url: string, text: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    const { rows } = await client.query({ text, rowMode: 'array' });
    return rows[0]?.[0];
  } finally {
    await client.end();
  }
}

describe('the shared servers', () => {
  test.each([
    [15, 'postgres15'],
    [18, 'postgres18'],
  ] as const)('version %i answers in a database of one file', async (version, name) => {
    const url = await createDatabase(inject(name));
    expect(String(await ask(url, 'show server_version_num'))).toMatch(new RegExp(`^${version}`));
    expect(await ask(url, 'select current_database()')).toBe(new URL(url).pathname.slice(1));
    expect(await ask(url, 'show synchronous_commit')).toBe('on');
  });
});

describe.each([15, 18] as const)('a server of version %i', (version) => {
  test('keeps data and port over a kill and a restart, and leaves nothing when it is stopped', async () => {
    const server = await startServer(version, { settings: { work_mem: '5MB' } });
    servers.push(server);
    const url = await createDatabase(server);
    await ask(url, 'create table kept as select 7 as n');
    const connected = new pg.Client({ connectionString: server.socketUrl() });
    connected.on('error', () => {});
    await connected.connect();
    const broken = new Promise((resolve) => connected.once('end', resolve));

    await server.kill();
    expect(server.pid).toBeUndefined();
    await broken;
    await expect(ask(url, 'select 1')).rejects.toThrow('ECONNREFUSED');

    await server.start();
    expect(server.log()).toContain('database system was not properly shut down');
    expect(await ask(url, 'select n from kept')).toBe(7);

    const before = server.pid;
    await server.restart({ fsync: 'on' });
    expect(server.pid).not.toBe(before);
    expect(await ask(url, 'show fsync')).toBe('on');
    expect(await ask(url, 'show work_mem')).toBe('5MB');
    expect(await ask(server.socketUrl(new URL(url).pathname.slice(1)), 'select n from kept')).toBe(7);

    await server.stop();
    expect(existsSync(server.dataDirectory)).toBe(false);
  });
});
