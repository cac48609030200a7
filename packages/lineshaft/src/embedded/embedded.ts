/**
 * The embedded PostgreSQL: a real server from npm binaries, one per folder, shared by all commands in it.
 *
 * A caller connects to the folder's keeper process (keeper.ts), starting one if there is none, and counts
 * as a user of the server for as long as that connection is open. Whoever starts two keepers at the same
 * moment gets one: they compete for a lock, both callers connect to the winner. If the keeper is killed,
 * its users start another one, which finds the server still running. Nothing here touches the data
 * directory.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { realpathSync } from 'node:fs';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  connectKeeper,
  type KeeperMessage,
  type KeeperRequest,
  onMessage,
  type ReadyServer,
  sendMessage,
} from './control.ts';
import { layoutOf } from './data-directory.ts';
import { EmbeddedError, type ErrorData, errorFromData, systemCode, useAnotherDatabase } from './errors.ts';
import { checkSettings } from './settings.ts';

export interface EmbeddedServer {
  /** Connection URL over the unix socket, for node-postgres and libpq; stays the same over restarts. */
  readonly url: string;
  readonly dataDirectory: string;
  readonly majorVersion: number;
  /** Whether this call started the server (false: it joined a running one). */
  readonly started: boolean;
  /** Gives the server up; the last user stops it and waits for that. Calling twice is harmless. */
  release(): Promise<void>;
}

export interface EmbeddedOptions {
  /** The folder that holds `.lineshaft/`; it must exist. */
  directory: string;
  /** Extra server settings, e.g. `{ shared_buffers: '256MB' }`; those of the call that starts it hold. */
  settings?: Readonly<Record<string, string>>;
  /** Where to say what happens. */
  log?: (line: string) => void;
}

// First start on a slow disk, or recovery after a crash, plus a keeper before us that is still stopping.
const openLimitMs = 90_000;
const releaseLimitMs = 45_000;
const connectPauseMs = 5;
const candidatesAllowed = 5;

/**
 * Starts or joins the embedded PostgreSQL of a folder.
 *
 * The caller is a user of the server until it releases it or its process ends. The connection to the keeper
 * does not keep the process alive.
 *
 * @throws EMBEDDED_UNAVAILABLE no binaries for this platform, or the server did not start
 * @throws EMBEDDED_WRONG_VERSION the data were made by another major version; they are left as they are
 * @throws EMBEDDED_DATA_UNUSABLE the folder or its data can't be used by this user
 * @throws EMBEDDED_BUSY not ready in time
 * @throws OPTION_INVALID a setting that can't be chosen
 *
 * @example
 * const server = await openEmbedded({ directory: process.cwd() });
 * try { await work(server.url); } finally { await server.release(); }
 */
export async function openEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const settings = options.settings ?? {};
  checkSettings(settings);
  if (process.platform === 'win32') {
    throw new EmbeddedError('EMBEDDED_UNAVAILABLE', {
      message: `the embedded PostgreSQL does not run on Windows; ${useAnotherDatabase}`,
    });
  }
  const user = new User(
    { directory: realDirectory(options.directory), settings },
    options.log ?? (() => undefined),
  );
  return user.open();
}

class User {
  readonly #request: KeeperRequest;
  readonly #keeperFile: string;
  readonly #log: (line: string) => void;
  #socket: Socket | undefined;
  #released: Promise<void> | undefined;

  constructor(request: KeeperRequest, log: (line: string) => void) {
    this.#request = request;
    this.#keeperFile = layoutOf(request.directory).keeperFile;
    this.#log = log;
  }

  async open(): Promise<EmbeddedServer> {
    const { ready, startedKeeper } = await this.#join();
    return {
      url: ready.url,
      dataDirectory: ready.dataDirectory,
      majorVersion: ready.majorVersion,
      started: startedKeeper && !ready.adopted,
      release: () => {
        this.#released ??= this.#leave();
        return this.#released;
      },
    };
  }

  /** Connects to the keeper, starting one if need be, and waits for the server. */
  async #join(): Promise<{ ready: ReadyServer; startedKeeper: boolean }> {
    const end = performance.now() + openLimitMs;
    let candidate: Candidate | undefined;
    let candidatesStarted = 0;
    try {
      while (performance.now() < end) {
        const socket = await connectKeeper(this.#keeperFile);
        if (socket !== undefined) {
          const ready = await this.#awaitReady(socket, end);
          if (ready !== undefined) return { ready, startedKeeper: ready.keeper === candidate?.process.pid };
        }
        if (candidate?.failure !== undefined) throw candidate.failure;
        if (candidate === undefined || candidate.ended) {
          candidatesStarted += 1;
          if (candidatesStarted > candidatesAllowed) break;
          candidate = startCandidate(this.#request);
        }
        await delay(connectPauseMs);
      }
    } finally {
      // One that waits for the lock gives up; one that has it goes on.
      if (candidate?.process.connected) candidate.process.disconnect();
    }
    throw new EmbeddedError('EMBEDDED_BUSY', {
      message:
        `the embedded PostgreSQL of ${this.#request.directory} was not ready ` +
        `within ${openLimitMs / 1000} s; another command or container may hold it: ` +
        `see ${layoutOf(this.#request.directory).log}`,
      details: { directory: this.#request.directory },
    });
  }

  /** The server's address; undefined if the keeper ended before it came, because it was stopping. */
  #awaitReady(socket: Socket, end: number): Promise<ReadyServer | undefined> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => socket.destroy(), Math.max(0, end - performance.now()));
      let isReady = false;
      let failure: EmbeddedError | undefined;
      onMessage<KeeperMessage>(socket, ({ ready, failed, log }) => {
        if (log !== undefined) this.#log(log);
        if (failed !== undefined) {
          this.#log(failed.message);
          failure = errorFromData(failed);
        }
        if (ready === undefined || isReady) return;
        isReady = true;
        clearTimeout(timer);
        this.#socket = socket.unref();
        resolve(ready);
      });
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        clearTimeout(timer);
        // The keeper ends after a failure, so whoever hears of it finds nothing running.
        if (failure === undefined) resolve(undefined);
        else reject(failure);
        if (isReady && failure === undefined && this.#released === undefined) void this.#replaceKeeper();
      });
    });
  }

  /** The keeper died, but we still use its server: somebody has to watch over it. */
  async #replaceKeeper(): Promise<void> {
    this.#socket = undefined;
    try {
      await this.#join();
      if (this.#released !== undefined) await this.#leave();
    } catch (error) {
      this.#log(
        `the embedded PostgreSQL was lost: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }

  async #leave(): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined || socket.destroyed) return;
    socket.ref();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => socket.destroy(), releaseLimitMs);
      socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      sendMessage(socket, { release: true });
    });
  }
}

interface Candidate {
  readonly process: ChildProcess;
  failure: EmbeddedError | undefined;
  ended: boolean;
}

/** Starts a process that becomes the keeper if no other one is quicker. */
function startCandidate(request: KeeperRequest): Candidate {
  const program = import.meta.url.endsWith('.ts') ? './keeper-main.ts' : './keeper-main.js';
  const { NODE_OPTIONS: _, ...environment } = process.env;
  // SQLite is the lock (file-lock.ts); Node calls it experimental on every start.
  const child = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      fileURLToPath(new URL(program, import.meta.url)),
      JSON.stringify(request),
    ],
    { cwd: '/', detached: true, env: environment, stdio: ['ignore', 'ignore', 'ignore', 'ipc'] },
  );
  const candidate: Candidate = { process: child, failure: undefined, ended: false };
  const failWith = (data: ErrorData) => {
    candidate.failure = errorFromData(data);
  };
  child.on('message', (message: { failed?: ErrorData }) => {
    if (message.failed !== undefined) failWith(message.failed);
  });
  child.on('error', (error) =>
    failWith({
      code: 'EMBEDDED_UNAVAILABLE',
      message: `can't start ${process.execPath}: ${error.message}`,
      details: {},
    }),
  );
  // Its last message may come after its end, but not after the channel's.
  const settle = () => {
    const end = child.exitCode ?? child.signalCode;
    if (end === null || child.connected || candidate.ended) return;
    candidate.ended = true;
    // One that was killed is no reason to give up: the next may live.
    if (typeof end === 'string' || end === 0 || candidate.failure !== undefined) return;
    const message = `the keeper of the embedded PostgreSQL ended with ${end}; ${useAnotherDatabase}`;
    failWith({ code: 'EMBEDDED_UNAVAILABLE', message, details: {} });
  };
  child.on('exit', settle);
  child.on('disconnect', settle);
  child.unref();
  return candidate;
}

function realDirectory(directory: string): string {
  try {
    return realpathSync(directory);
  } catch (error) {
    throw new EmbeddedError('EMBEDDED_DATA_UNUSABLE', {
      message: `the folder ${directory} can't be used (${systemCode(error)}); name one that exists`,
      details: { path: directory },
      cause: error,
    });
  }
}
