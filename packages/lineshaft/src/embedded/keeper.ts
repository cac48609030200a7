/**
 * The keeper: one small process per folder that owns the server for as long as anybody uses it.
 *
 *     starting ──ready──▶ serving ──last user gone──▶ stopping ──▶ exit
 *        ▲                  │
 *        └──server died─────┘        (also while starting: could not be brought up ──▶ exit)
 *
 * It is a process of its own because the server must outlive the command that started it while others use
 * it, and must not outlive them all. It holds the folder's lock, so there is one; users are connections, so
 * none is ever forgotten. If the keeper itself is killed, each user notices, one of them starts a new
 * keeper (see embedded.ts), and that one adopts the server that still runs.
 */
import * as fs from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Binaries } from './binaries.ts';
import {
  controlPath,
  type KeeperMessage,
  type KeeperRequest,
  onMessage,
  readKeeperFile,
  sendMessage,
  type UserMessage,
} from './control.ts';
import { checkData, createData, type Layout, placeData, removeUnfinished } from './data-directory.ts';
import { errorData } from './errors.ts';
import type { Identity } from './identity.ts';
import { boundLog, writeLog } from './log-file.ts';
import { clusterName, isServerProcess } from './processes.ts';
import { bringUp, type RunningServer, readPostmasterFile, stopServer } from './server.ts';

export interface KeeperPlan {
  readonly request: KeeperRequest;
  readonly layout: Layout;
  readonly binaries: Binaries;
  readonly identity: Identity | undefined;
}

// A command that was killed right after it started us never comes.
const firstUserLimitMs = 10_000;
const logCheckMs = 30_000;
const crashesAllowed = 5;
const crashWindowMs = 60_000;

export class Keeper {
  readonly #plan: KeeperPlan;
  /** Connections whose user has not released the server. */
  readonly #users = new Set<Socket>();
  readonly #connections = new Set<Socket>();
  readonly #crashes: number[] = [];
  #layout: Layout;
  #state: 'starting' | 'serving' | 'stopping' = 'starting';
  #socketDirectory = '';
  #listener: Server | undefined;
  #server: RunningServer | undefined;
  #cluster = '';
  #ready: KeeperMessage | undefined;
  #awaitsFirstUser = true;

  constructor(plan: KeeperPlan) {
    this.#plan = plan;
    this.#layout = plan.layout;
  }

  /** Keeps the server until its last user has gone; the caller holds the folder's lock. */
  async run(): Promise<void> {
    this.#socketDirectory = this.#chooseSocketDirectory();
    await this.#listen();
    const logCheck = setInterval(() => boundLog(this.#layout.log), logCheckMs);
    const firstUser = setTimeout(() => {
      this.#awaitsFirstUser = false;
      this.#stopIfUnused();
    }, firstUserLimitMs);
    try {
      await this.#prepareData();
      while (this.#state !== 'stopping') {
        await this.#serve();
        await this.#server?.gone;
      }
    } catch (error) {
      this.#fail(error);
      throw error;
    } finally {
      clearInterval(logCheck);
      clearTimeout(firstUser);
      await this.#close();
    }
  }

  /** Ends it although there may be users, as the system asks when it shuts down. */
  async shutDown(): Promise<void> {
    this.#state = 'stopping';
    if (this.#server !== undefined) await stopServer(this.#server.pid, this.#cluster);
  }

  async #prepareData(): Promise<void> {
    const { binaries, identity } = this.#plan;
    this.#layout = placeData(this.#layout, identity);
    if (checkData(this.#layout.data, binaries)) return removeUnfinished(this.#layout.data);
    this.#say(`making a new database in ${this.#layout.data}`);
    await createData(this.#layout.data, binaries, identity);
  }

  /** Brings the server up, once, and tells the users. */
  async #serve(): Promise<void> {
    const { binaries, identity, request } = this.#plan;
    const data = fs.realpathSync(this.#layout.data);
    this.#cluster = clusterName(data);
    const socketDirectory = this.#socketDirectory;
    const say = (line: string) => this.#say(line);
    const server = await bringUp({
      data,
      binaries,
      identity,
      socketDirectory,
      settings: request.settings,
      log: this.#layout.log,
      say,
    });
    this.#server = server;
    void server.gone.then(() => this.#onServerGone());
    if (this.#state === 'stopping') return stopServer(server.pid, this.#cluster);
    this.#state = 'serving';
    this.#ready = {
      ready: {
        // The port names the socket's file; without it PGPORT of the user's environment would.
        url: `postgresql://lineshaft@/lineshaft?host=${encodeURIComponent(socketDirectory)}&port=5432`,
        dataDirectory: this.#layout.data,
        majorVersion: binaries.majorVersion,
        keeper: process.pid,
        adopted: server.adopted,
      },
    };
    for (const user of this.#users) sendMessage(user, this.#ready);
    this.#stopIfUnused();
  }

  #onServerGone(): void {
    if (this.#state === 'stopping') return;
    this.#state = 'starting';
    this.#ready = undefined;
    const now = performance.now();
    this.#crashes.push(now);
    const recent = this.#crashes.filter((at) => now - at < crashWindowMs).length;
    this.#say('the server died, it is started again');
    if (recent > crashesAllowed) {
      this.#fail(new Error(`it died ${recent} times within a minute; its log is ${this.#layout.log}`));
      this.#state = 'stopping';
    }
  }

  #onUser(user: Socket): void {
    this.#awaitsFirstUser = false;
    this.#users.add(user);
    this.#connections.add(user);
    user.on('error', () => user.destroy());
    user.on('close', () => {
      this.#connections.delete(user);
      if (this.#users.delete(user)) this.#stopIfUnused();
    });
    onMessage<UserMessage>(user, (message) => {
      if (message.release !== true) return;
      this.#users.delete(user);
      // The last one is closed when the keeper ends, so that its release waits for the server to stop.
      if (this.#users.size > 0 || this.#state === 'starting') user.end();
      this.#stopIfUnused();
    });
    // One that comes while we stop hears nothing until we end, and then turns to the next keeper.
    if (this.#ready !== undefined && this.#state === 'serving') sendMessage(user, this.#ready);
  }

  #stopIfUnused(): void {
    if (this.#users.size > 0 || this.#awaitsFirstUser) return;
    if (this.#state !== 'serving' || this.#server === undefined) return;
    this.#state = 'stopping';
    // Who comes now finds nobody listening and starts a keeper, which waits for our lock.
    this.#listener?.close();
    void stopServer(this.#server.pid, this.#cluster);
  }

  #fail(error: unknown): void {
    const failed = errorData(error);
    writeLog(this.#layout.log, failed.message);
    for (const user of this.#users) sendMessage(user, { failed });
    // They know, and do not come back.
    this.#users.clear();
  }

  #say(log: string): void {
    writeLog(this.#layout.log, log);
    for (const user of this.#users) sendMessage(user, { log });
  }

  /** Where the running server listens, else where the last keeper did (users know that address), else new. */
  #chooseSocketDirectory(): string {
    const { data, keeperFile } = this.#layout;
    const running = fs.existsSync(data) ? readPostmasterFile(data) : undefined;
    if (running !== undefined && isServerProcess(running.pid, clusterName(fs.realpathSync(data)))) {
      if (this.#isOurFolder(running.socketDirectory)) return running.socketDirectory;
    }
    const last = readKeeperFile(keeperFile)?.socketDirectory;
    if (last !== undefined && this.#isOurFolder(last)) return last;
    // Socket paths end at 107 bytes (103 on macOS), and a comma would separate folders.
    const temporary = /^[\w./-]{1,70}$/.test(tmpdir()) ? tmpdir() : '/tmp';
    const created = fs.mkdtempSync(join(temporary, 'ls-'));
    const { identity } = this.#plan;
    if (identity !== undefined) fs.chownSync(created, identity.uid, identity.gid);
    return created;
  }

  // Temporary folders are open to everybody: only a private folder of the server's user is used again.
  #isOurFolder(path: string): boolean {
    const found = fs.lstatSync(path, { throwIfNoEntry: false });
    const uid = this.#plan.identity?.uid ?? process.geteuid?.();
    return found?.isDirectory() === true && found.uid === uid && (found.mode & 0o077) === 0;
  }

  async #listen(): Promise<void> {
    const path = controlPath(this.#socketDirectory);
    // Left by a keeper that was killed: a living one would hold the lock.
    fs.rmSync(path, { force: true });
    const listener = createServer((user) => this.#onUser(user));
    this.#listener = listener;
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject);
      listener.listen(path, resolve);
    });
    const { identity } = this.#plan;
    if (identity !== undefined) fs.chownSync(path, identity.uid, identity.gid);
    const { keeperFile } = this.#layout;
    fs.writeFileSync(
      `${keeperFile}.new`,
      JSON.stringify({ pid: process.pid, socketDirectory: this.#socketDirectory }),
    );
    fs.renameSync(`${keeperFile}.new`, keeperFile);
  }

  async #close(): Promise<void> {
    const inUse = this.#users.size > 0;
    this.#listener?.close();
    await this.#server?.gone;
    // Users who are still there start a new keeper, and its server should have the address that they know.
    if (!inUse) {
      fs.rmSync(this.#layout.keeperFile, { force: true });
      fs.rmSync(this.#socketDirectory, { recursive: true, force: true });
    }
    for (const connection of this.#connections) connection.end();
  }
}
