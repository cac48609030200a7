import { rmSync } from 'node:fs';
import { connect } from 'node:net';
import { afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { createDatabase } from '../../../core/src/testing/server.ts';
import { folderWith, RunningCommand, runLineshaft } from '../testing/command.ts';

const cwd = folderWith();
const running: RunningCommand[] = [];
let env: Record<string, string>;

beforeAll(async () => {
  env = { LINESHAFT_DATABASE_URL: await createDatabase(inject('postgres18')) };
});

afterEach(async () => {
  for (const command of running.splice(0)) {
    command.signal('SIGKILL');
    await command.ended;
  }
});

interface Started {
  readonly command: RunningCommand;
  readonly url: string;
  readonly port: number;
  readonly demandsKey: boolean;
}

async function startServer(...args: string[]): Promise<Started> {
  const command = new RunningCommand(['server', '--port', '0', '--json', ...args], { cwd, env });
  running.push(command);
  const text = await command.says(/\{[\s\S]*"demandsKey": (true|false)\s*\}/);
  await command.says(/worker started/);
  return { command, ...(JSON.parse(text) as Omit<Started, 'command'>) };
}

const run = (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
  runLineshaft([...args, '--json'], { cwd, env });

function errorOf({ stderr }: { stderr: string }): { code: string; message: string } {
  return (JSON.parse(stderr.trim().split('\n').at(-1) ?? '') as { error: { code: string; message: string } })
    .error;
}

/** The server hears of keys by notification: a moment after. */
async function answers(url: string, wanted: number): Promise<void> {
  await expect.poll(async () => (await fetch(`${url}/metrics`)).status).toBe(wanted);
}

describe('lineshaft server', () => {
  test('says what is missing where the schema is, and does not start', async () => {
    const result = await run('server', '--port', '0');
    expect(result.code).toBe(5);
    expect(errorOf(result)).toMatchObject({ code: 'SCHEMA_MISSING' });
    expect((await run('migrate')).code).toBe(0);
  });

  test('is a whole installation, demands a key once there is one, and stops when it is told to', async () => {
    const { command, url, demandsKey } = await startServer();
    expect(demandsKey).toBe(false);
    const ready = await fetch(`${url}/readyz`);
    expect(await ready.json()).toEqual({
      ready: true,
      checks: { database: 'ok', schema: 'ok', services: 'ok', server: 'ok' },
    });
    expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/lineshaft_worker_slots \d+/);

    const made = await run('token', 'create', '--name', 'ci', '--expires', '1d');
    const key = JSON.parse(made.stdout) as { keyId: string; keySecret: string };
    expect(made.code).toBe(0);
    await answers(url, 401);
    const authorization = `Bearer ${key.keySecret}`;
    const document = await fetch(`${url}/api-docs?q=secret`, { headers: { authorization } });
    expect(await document.json()).toHaveProperty('openapi');
    const listed = JSON.parse((await run('token', 'list')).stdout) as { keys: Record<string, unknown>[] };
    expect(listed.keys).toEqual([
      expect.objectContaining({
        keyId: key.keyId,
        name: 'ci',
        expired: false,
        lastUsedAt: expect.any(String),
      }),
    ]);
    expect(JSON.stringify(listed)).not.toContain(key.keySecret);
    expect((await run('token', 'revoke', key.keyId)).code).toBe(0);
    await answers(url, 200);

    command.signal('SIGTERM');
    expect(await command.ended).toMatchObject({ code: 0 });
    await expect(fetch(`${url}/healthz`)).rejects.toThrow(TypeError);
    // One line for each request; secrets and queries are in none.
    expect(command.stderr).toMatch(/"message":"GET \/metrics 401"/);
    expect(command.stderr).toMatch(/"message":"GET \/api-docs 200"/);
    expect(command.stderr).not.toContain('q=secret');
    expect(command.stderr).toContain(`"key":"${key.keyId}"`);
    expect(command.stderr).not.toContain(key.keySecret);
  });

  test('a second signal does not wait for requests', async () => {
    const { command, port } = await startServer();
    const half = connect({ port, host: '127.0.0.1' });
    half.on('error', () => undefined);
    half.write('POST /api/workflow HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{');
    half.write('GET /');
    await new Promise((resolve) => half.once('connect', resolve));
    await fetch(`http://127.0.0.1:${port}/healthz`);
    command.signal('SIGTERM');
    await expect.poll(() => fetch(`http://127.0.0.1:${port}/healthz`).catch(() => 'refused')).toBe('refused');
    command.signal('SIGINT');
    expect(await command.ended).toMatchObject({ code: 130 });
    half.destroy();
  });

  test('does not start beyond this machine without a key, nor on a port that is taken', async () => {
    const open = await run('server', '--host', '0.0.0.0', '--port', '0');
    expect(open.code).toBe(7);
    expect(errorOf(open)).toMatchObject({ code: 'KEYS_MISSING', message: /lineshaft token create/ });
    const { port } = await startServer();
    const taken = await run('server', '--port', String(port));
    expect(taken.code).toBe(5);
    expect(errorOf(taken)).toMatchObject({ code: 'ADDRESS_UNAVAILABLE', message: /--port/ });
  });

  test('refuses flags that it does not know or that contradict each other', async () => {
    const slip = await run('server', '--prot', '1');
    expect(slip.code).toBe(2);
    expect(errorOf(slip).message).toMatch(/did you mean --port\?/);
    expect((await run('server', '--port', '70000')).code).toBe(2);
    expect((await run('server', '--log-level', 'loud')).code).toBe(2);
    const both = await run('server', '--embedded', '--database-url', 'postgresql://x/y');
    expect(both.code).toBe(2);
    expect(errorOf(both).message).toMatch(/--embedded and --database-url/);
  });
});

describe('lineshaft token', () => {
  test('refuses what is no key', async () => {
    const unknown = await run('token', 'revoke', 'lsk_0000000000000000');
    expect(unknown.code).toBe(3);
    expect(errorOf(unknown)).toMatchObject({ code: 'KEY_NOT_FOUND' });
    expect((await run('token', 'create', '--name', '')).code).toBe(2);
    expect((await run('token', 'create', '--expires', 'soon')).code).toBe(2);
    expect((await run('token', 'creat')).code).toBe(2);
  });

  test('shows people how to use a key, and the secret nowhere else', async () => {
    const made = await runLineshaft(['token', 'create', '--name', 'for people'], { cwd, env });
    const secret = /lss_[\w-]{43}/.exec(made.stdout)?.[0] ?? 'none';
    expect(made.stdout).toContain(`export CONDUCTOR_AUTH_SECRET=${secret}`);
    const listed = await runLineshaft(['token', 'list'], { cwd, env });
    expect(listed.stdout).toMatch(/lsk_[0-9a-f]{16} +for people +\S.* never +never/);
    expect(listed.stdout).not.toContain(secret);
    rmSync(cwd, { recursive: true, force: true });
  });
});
