/**
 * Real PostgreSQL servers for tests: started from the system's binaries (15) or the embedded ones (18) in a
 * temporary folder, stopped and killed at will, gone when the process ends. Not part of the product.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { findBinaries, run, type ServerBinaries, type ServerVersion, serverUser } from './server-binaries.ts';
import { endServer, freePort, makeServerFolder, removeServerFolder } from './server-folder.ts';

export type { ServerVersion } from './server-binaries.ts';

export interface TestServerOptions {
  /**
   * Crash safety of the operating system's kind. Off is much faster; a kill -9 loses nothing either way.
   * @default false
   */
  readonly fsync?: boolean;
  /** More settings, as on the command line of `postgres`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Called with the empty folder before anything is in it, as to mount a volume there. */
  readonly prepareFolder?: (folder: string) => void;
}

export interface TestServer {
  readonly version: ServerVersion;
  readonly dataDirectory: string;
  readonly socketDirectory: string;
  readonly host: '127.0.0.1';
  /** Stays the same over restarts. */
  readonly port: number;
  /** The process id of the postmaster; undefined while it is down. */
  readonly pid: number | undefined;
  /**
   * The address of a database over TCP. Everybody on this machine may connect as `postgres`. @default
   * 'postgres'
   */
  url(database?: string): string;
  /** The same over the unix socket. */
  socketUrl(database?: string): string;
  /** What the server has logged so far. */
  log(): string;
  /** Starts a server that is down; its data are still there. */
  start(): Promise<void>;
  /** Shuts it down cleanly, breaking connections, and keeps the data. */
  shutDown(): Promise<void>;
  /** Shuts it down cleanly and starts it again, with other settings if there are any. */
  restart(settings?: Readonly<Record<string, string>>): Promise<void>;
  /** Kills all of its processes with SIGKILL; `start` brings it back by crash recovery. */
  kill(): Promise<void>;
  /** Shuts it down and removes its data. */
  stop(): Promise<void>;
}

const startTimeoutMs = 30_000;

/** Starts a server of this major version, with data of its own. */
export async function startServer(
  version: ServerVersion,
  options: TestServerOptions = {},
): Promise<TestServer> {
  const binaries = findBinaries(version);
  const folder = makeServerFolder();
  const dataDirectory = join(folder, 'data');
  try {
    options.prepareFolder?.(folder);
    await run(
      binaries.initdb,
      [
        '-D',
        dataDirectory,
        '-U',
        'postgres',
        '-A',
        'trust',
        '-E',
        'UTF8',
        '--locale=C',
        '--no-sync',
        '--no-instructions',
      ],
      serverUser(),
    );
    const server = new LocalServer(version, binaries, folder, options);
    await server.start();
    return server;
  } catch (error) {
    removeServerFolder(folder);
    throw error;
  }
}

/**
 * Makes an empty database with a name of its own.
 *
 * @param server a server, or the address of any of its databases
 * @returns the address of the new database
 */
export async function createDatabase(server: TestServer | string): Promise<string> {
  const address = typeof server === 'string' ? server : server.url();
  const name = `test_${randomBytes(6).toString('hex')}`;
  const client = new pg.Client({ connectionString: address });
  await client.connect();
  try {
    await client.query(`create database ${name}`);
  } finally {
    await client.end();
  }
  const url = new URL(address);
  url.pathname = `/${name}`;
  return url.href;
}

class LocalServer implements TestServer {
  readonly version: ServerVersion;
  readonly dataDirectory: string;
  readonly socketDirectory: string;
  readonly host = '127.0.0.1';
  port = 0;
  private readonly binaries: ServerBinaries;
  private readonly folder: string;
  private settings: Readonly<Record<string, string>>;
  private process: ChildProcess | undefined;

  constructor(version: ServerVersion, binaries: ServerBinaries, folder: string, options: TestServerOptions) {
    this.version = version;
    this.binaries = binaries;
    this.folder = folder;
    this.dataDirectory = join(folder, 'data');
    this.socketDirectory = folder;
    this.settings = { fsync: options.fsync ? 'on' : 'off', ...options.settings };
  }

  get pid(): number | undefined {
    return this.process?.pid;
  }

  url(database = 'postgres'): string {
    return `postgres://postgres@${this.host}:${this.port}/${database}`;
  }

  socketUrl(database = 'postgres'): string {
    const folder = encodeURIComponent(this.socketDirectory);
    return `postgres://postgres@/${database}?host=${folder}&port=${this.port}`;
  }

  log(): string {
    return fs.readFileSync(join(this.folder, 'log'), 'utf8');
  }

  async start(): Promise<void> {
    if (this.process !== undefined) return;
    for (let attempt = 1; ; attempt += 1) {
      // Somebody may take the port between the look and the start; once it has one, the server keeps it.
      const fresh = this.port === 0;
      if (fresh) this.port = await freePort();
      try {
        await this.launch();
        return;
      } catch (error) {
        if (!fresh || attempt === 5 || !this.log().includes('could not bind')) throw error;
        this.port = 0;
      }
    }
  }

  async restart(settings?: Readonly<Record<string, string>>): Promise<void> {
    await this.shutDown();
    this.settings = { ...this.settings, ...settings };
    await this.start();
  }

  async shutDown(): Promise<void> {
    const { process } = this;
    if (process === undefined) return;
    const ended = hasEnded(process);
    process.kill('SIGINT');
    await ended;
    this.process = undefined;
  }

  async kill(): Promise<void> {
    const { process } = this;
    if (process?.pid === undefined) return;
    const ended = hasEnded(process);
    await endServer(process.pid);
    await ended;
    this.process = undefined;
  }

  async stop(): Promise<void> {
    await this.shutDown();
    removeServerFolder(this.folder);
  }

  private async launch(): Promise<void> {
    const settings = {
      // As safe as kills of its processes demand (a killed write may be half done); tests rely on it.
      synchronous_commit: 'on',
      full_page_writes: 'on',
      max_connections: '200',
      shared_buffers: '64MB',
      max_prepared_transactions: '20',
      timezone: 'UTC',
      log_timezone: 'UTC',
      log_checkpoints: 'off',
      ...this.settings,
      listen_addresses: this.host,
      port: String(this.port),
      unix_socket_directories: this.socketDirectory,
      logging_collector: 'off',
    };
    const log = fs.openSync(join(this.folder, 'log'), 'a');
    const process = spawn(
      this.binaries.postgres,
      [
        '-D',
        this.dataDirectory,
        ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ],
      // In a process group of its own, so that Ctrl-C on a test run does not reach it first.
      { ...serverUser(), cwd: this.folder, env: {}, detached: true, stdio: ['ignore', log, log] },
    );
    fs.closeSync(log);
    process.unref();
    this.process = process;
    process.once('exit', () => {
      if (this.process === process) this.process = undefined;
    });
    try {
      await this.isReady(process);
    } catch (error) {
      process.kill('SIGQUIT');
      throw error;
    }
  }

  /** The server writes its state into its lock file; nothing needs to connect to see that it is ready. */
  private async isReady(process: ChildProcess): Promise<void> {
    const deadline = performance.now() + startTimeoutMs;
    const lockFile = join(this.dataDirectory, 'postmaster.pid');
    const spawned = new Promise<never>((_, reject) => process.once('error', reject));
    for (;;) {
      await Promise.race([spawned, new Promise((resolve) => setTimeout(resolve, 10))]);
      if (process.exitCode !== null || process.signalCode !== null) {
        throw new Error(`PostgreSQL ${this.version} did not start:\n${this.log().slice(-2000)}`);
      }
      const lines = fs.existsSync(lockFile) ? fs.readFileSync(lockFile, 'utf8').split('\n') : [];
      if (Number(lines[0]) === process.pid && lines[7]?.trim() === 'ready') return;
      if (performance.now() > deadline) {
        throw new Error(
          `PostgreSQL ${this.version} was not ready after ${startTimeoutMs} ms:\n${this.log().slice(-2000)}`,
        );
      }
    }
  }
}

async function hasEnded(process: ChildProcess): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return;
  process.ref();
  await new Promise<void>((resolve) => process.once('exit', () => resolve()));
}
