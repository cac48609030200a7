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
  /** Kills it with SIGKILL, with all connections through it. */
  kill(): Promise<void>;
  /** Starts it again, on the same port; harmless while it runs. */
  start(): Promise<void>;
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
  let pooler: ChildProcess | undefined;
  const end = (): boolean | undefined => pooler?.kill('SIGKILL');
  const kill = async (): Promise<void> => {
    const ended = pooler;
    pooler = undefined;
    if (ended === undefined || ended.exitCode !== null || ended.signalCode !== null) return;
    const exited = new Promise((resolve) => ended.once('exit', resolve));
    ended.kill('SIGKILL');
    await exited;
  };
  const start = async (): Promise<void> => {
    if (pooler !== undefined) return;
    const log = fs.openSync(logFile, 'a');
    pooler = spawn(program, [join(folder, 'pgbouncer.ini')], {
      ...serverUser(),
      cwd: folder,
      env: {},
      stdio: ['ignore', log, log],
    });
    fs.closeSync(log);
    await accepts(port, pooler, logFile);
  };
  process.once('exit', end);
  await start();
  return {
    url: (database) => `postgres://postgres@127.0.0.1:${port}/${database}`,
    log: () => fs.readFileSync(logFile, 'utf8'),
    kill,
    start,
    async stop() {
      process.off('exit', end);
      await kill();
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
