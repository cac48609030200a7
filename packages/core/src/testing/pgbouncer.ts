/** A real pgbouncer in front of a test server, for tests of the product behind a pooler. */
import { type ChildProcess, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { serverUser } from './server-binaries.ts';
import { freePort, makeServerFolder, removeServerFolder } from './server-folder.ts';

export interface PgbouncerOptions {
  /** @default 'transaction' */
  readonly poolMode?: 'transaction' | 'session' | 'statement';
  /** More lines of the section `[pgbouncer]`. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface TestPgbouncer {
  /** The address of a database through pgbouncer. */
  url(database: string): string;
  log(): string;
  stop(): Promise<void>;
}

/** Where the program is; undefined where it is not installed. */
export function findPgbouncer(): string | undefined {
  return [
    '/usr/sbin',
    '/usr/bin',
    '/usr/local/bin',
    '/opt/homebrew/bin',
    ...(process.env.PATH ?? '').split(':'),
  ]
    .map((folder) => join(folder, 'pgbouncer'))
    .find((path) => fs.existsSync(path));
}

/**
 * Starts pgbouncer on a free port of 127.0.0.1, in front of the server at this address, for all of its
 * databases.
 */
export async function startPgbouncer(
  serverUrl: string,
  options: PgbouncerOptions = {},
): Promise<TestPgbouncer> {
  const program = findPgbouncer();
  if (program === undefined) throw new Error('pgbouncer is not installed: node tools/setup-test.ts');
  const { hostname, port: serverPort } = new URL(serverUrl);
  const folder = makeServerFolder();
  const port = await freePort();
  const logFile = join(folder, 'log');
  fs.writeFileSync(join(folder, 'users'), '"postgres" ""\n', { mode: 0o644 });
  fs.writeFileSync(
    join(folder, 'pgbouncer.ini'),
    [
      '[databases]',
      `* = host=${hostname} port=${serverPort}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'auth_type = trust',
      `auth_file = ${join(folder, 'users')}`,
      `pool_mode = ${options.poolMode ?? 'transaction'}`,
      'max_client_conn = 500',
      'default_pool_size = 20',
      ...Object.entries(options.settings ?? {}).map(([name, value]) => `${name} = ${value}`),
      '',
    ].join('\n'),
    { mode: 0o644 },
  );
  const log = fs.openSync(logFile, 'a');
  const pooler = spawn(program, [join(folder, 'pgbouncer.ini')], {
    ...serverUser(),
    cwd: folder,
    env: {},
    stdio: ['ignore', log, log],
  });
  fs.closeSync(log);
  const kill = (): boolean => pooler.kill('SIGKILL');
  process.once('exit', kill);
  await accepts(port, pooler, logFile);
  return {
    url: (database) => `postgres://postgres@127.0.0.1:${port}/${database}`,
    log: () => fs.readFileSync(logFile, 'utf8'),
    async stop() {
      process.off('exit', kill);
      if (pooler.exitCode === null && pooler.signalCode === null) {
        const ended = new Promise((resolve) => pooler.once('exit', resolve));
        kill();
        await ended;
      }
      removeServerFolder(folder);
    },
  };
}

async function accepts(port: number, pooler: ChildProcess, logFile: string): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt += 1) {
    if (pooler.exitCode !== null) break;
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`pgbouncer did not start:\n${fs.readFileSync(logFile, 'utf8').slice(-2000)}`);
}
