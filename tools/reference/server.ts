/**
 * The reference: a real Conductor server on loopback, with data of its own, that ends with whoever started it. What
 * Lineshaft answers is compared with what this one answers, and how fast.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { release, spawnGuarded } from './guard.ts';
import { findConductorServer } from './jar.ts';
import { findJava } from './java.ts';

export interface ReferenceOptions {
  /**
   * The address of an empty PostgreSQL database, as `postgres://USER@127.0.0.1:PORT/NAME`; the server reaches it over
   * TCP only. @default SQLite in a temporary folder
   */
  readonly databaseUrl?: string;
  /** Java's heap, in its own notation. @default '1g' */
  readonly heap?: string;
  /** 0 picks a free one. @default 0 */
  readonly port?: number;
  /**
   * Leave out the optimising compiler: the server is ready in half the time, and slower from then on. @default true
   */
  readonly quickStart?: boolean;
  /** More settings of the server, over those here. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface ReferenceServer {
  /** As `http://127.0.0.1:PORT`; its API is below `/api`. */
  readonly url: string;
  /** Of the process whose tree is the server. */
  readonly pid: number;
  /** All settings that were given, for reports. */
  readonly settings: Readonly<Record<string, string>>;
  /** The last part of what the server has logged. */
  log(): string;
  /** Kills it and removes its data. */
  stop(): Promise<void>;
}

const startTimeoutMs = 240_000;
const keptLogCharacters = 20_000;

/** Starts a server, and waits until it answers: half a minute; the first time it is fetched, which takes minutes. */
export async function startReference(options: ReferenceOptions = {}): Promise<ReferenceServer> {
  const java = await findJava();
  const jar = await findConductorServer(java);
  const folder = mkdtempSync(join(tmpdir(), 'lineshaft-reference-'));
  const port = options.port || (await freePort());
  const settings = { ...serverSettings(folder, options), 'server.port': String(port), ...options.settings };
  const parameters = [
    ...(options.quickStart === false ? [] : ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC']),
    `-Xmx${options.heap ?? '1g'}`,
    '--enable-native-access=ALL-UNNAMED',
    '-jar',
    jar,
    ...Object.entries(settings).map(([name, value]) => `--${name}=${value}`),
  ];
  const process = spawnGuarded(java, parameters, {
    cwd: folder,
    // Settings come from parameters alone, not from what happens to be in the environment.
    env: { HOME: folder, PATH: '/usr/bin:/bin', TZ: 'UTC', LANG: 'C.UTF-8' },
  });
  const server = new RunningReference(process, folder, `http://127.0.0.1:${port}`, settings);
  try {
    await server.isReady();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

function serverSettings(folder: string, { databaseUrl }: ReferenceOptions): Record<string, string> {
  const store =
    databaseUrl === undefined ? sqliteSettings(join(folder, 'conductor.db')) : postgresSettings(databaseUrl);
  return {
    'server.address': '127.0.0.1',
    ...store,
    // Calls to language models are no part of the comparison.
    'conductor.integrations.ai.enabled': 'false',
  };
}

/** The server's defaults, with a file of ours. */
function sqliteSettings(file: string): Record<string, string> {
  return { 'spring.datasource.url': `jdbc:sqlite:${file}?busy_timeout=15000&journal_mode=WAL` };
}

/** As the project's own configuration file for PostgreSQL has it. */
function postgresSettings(databaseUrl: string): Record<string, string> {
  const { host, pathname, username, password } = new URL(databaseUrl);
  return {
    'conductor.db.type': 'postgres',
    'conductor.queue.type': 'postgres',
    'conductor.indexing.enabled': 'true',
    'conductor.indexing.type': 'postgres',
    'conductor.elasticsearch.version': '0',
    'conductor.workflow-execution-lock.type': 'postgres',
    'conductor.app.workflowExecutionLockEnabled': 'true',
    'spring.datasource.url': `jdbc:postgresql://${host}${pathname}`,
    'spring.datasource.username': decodeURIComponent(username),
    'spring.datasource.password': decodeURIComponent(password),
  };
}

class RunningReference implements ReferenceServer {
  readonly url: string;
  readonly pid: number;
  readonly settings: Readonly<Record<string, string>>;
  readonly #process: ChildProcess;
  readonly #folder: string;
  readonly #ended: Promise<void>;
  #log = '';

  constructor(process: ChildProcess, folder: string, url: string, settings: Record<string, string>) {
    this.url = url;
    this.pid = process.pid ?? 0;
    this.settings = settings;
    this.#process = process;
    this.#folder = folder;
    this.#ended = new Promise((resolve) => {
      process.once('error', (error) => {
        this.#log += error.message;
        resolve();
      });
      process.once('exit', () => resolve());
    });
    for (const stream of [process.stdout, process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#log = (this.#log + text).slice(-keptLogCharacters);
      });
    }
  }

  log(): string {
    return this.#log;
  }

  async isReady(): Promise<void> {
    const deadline = performance.now() + startTimeoutMs;
    let ended = false;
    void this.#ended.then(() => {
      ended = true;
    });
    while (!(await this.#answers())) {
      if (ended) throw new Error(`the reference server did not start:\n${this.#log.slice(-3_000)}`);
      if (performance.now() > deadline) {
        throw new Error(`the reference server was not ready after ${startTimeoutMs} ms:\n${this.#log}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  async #answers(): Promise<boolean> {
    try {
      const response = await fetch(`${this.url}/health`, { signal: AbortSignal.timeout(5_000) });
      const { healthy } = (await response.json()) as { healthy?: boolean };
      return response.ok && healthy === true;
    } catch {
      return false;
    }
  }

  async stop(): Promise<void> {
    release(this.#process);
    await this.#ended;
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port is free on loopback');
  return address.port;
}
