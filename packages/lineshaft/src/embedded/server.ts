/**
 * One PostgreSQL server process: started, or adopted if one runs on the data already, watched, and stopped.
 * Only the keeper that holds the folder's lock may call this; nothing else decides who owns the data.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Binaries } from './binaries.ts';
import { serverEnvironment } from './data-directory.ts';
import { EmbeddedError, systemCode, useAnotherDatabase } from './errors.ts';
import type { Identity } from './identity.ts';
import { boundLog, readLogSince } from './log-file.ts';
import { probe } from './probe.ts';
import {
  clusterName,
  isAlive,
  isServerProcess,
  sendSignal,
  serverProcesses,
  waitUntil,
} from './processes.ts';
import { serverArguments } from './settings.ts';

export interface ServerPlan {
  /** Real path of the data directory. */
  readonly data: string;
  readonly binaries: Binaries;
  readonly identity: Identity | undefined;
  readonly socketDirectory: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly log: string;
  readonly say: (line: string) => void;
}

export interface RunningServer {
  readonly pid: number;
  /** Whether it ran already. */
  readonly adopted: boolean;
  /** Resolves when the process is gone, for whatever reason. */
  readonly gone: Promise<void>;
}

// Recovery after a crash replays at most the WAL between two checkpoints, which is seconds of work.
const startLimitMs = 60_000;
const fastStopLimitMs = 20_000;
const orphanPatienceMs = 1500;
const deafServerPatienceMs = 5000;

/** Brings the server up: adopts the one that runs, or waits for the remains of a dead one and starts anew. */
export async function bringUp(plan: ServerPlan): Promise<RunningServer> {
  const cluster = clusterName(plan.data);
  const end = performance.now() + startLimitMs;
  while (performance.now() < end) {
    const running = readPostmasterFile(plan.data);
    if (running !== undefined && isServerProcess(running.pid, cluster)) {
      const reachable = running.socketDirectory === plan.socketDirectory;
      if (reachable && (await becomesReady(running, cluster, end))) return adopt(running.pid, cluster);
      if (!isServerProcess(running.pid, cluster)) continue;
      plan.say(`server ${running.pid} takes no sessions, it is started again`);
      await stopServer(running.pid, cluster);
    }
    await endOrphans(plan, cluster);
    removeForeignPidFile(plan.data, cluster);
    const server = await start(plan, end);
    if (server !== 'held') return server;
    await delay(50);
  }
  throw new EmbeddedError('EMBEDDED_BUSY', {
    message: `the embedded PostgreSQL was not ready within ${startLimitMs / 1000} s; its log is ${plan.log}`,
    details: { log: plan.log },
  });
}

/** Stops a server: in order, then in haste, then by force; returns when it and its backends are gone. */
export async function stopServer(pid: number, cluster: string): Promise<void> {
  const gone = () => !isServerProcess(pid, cluster);
  sendSignal(pid, 'SIGINT');
  if (!(await waitUntil(gone, fastStopLimitMs, 5))) {
    // Immediate shutdown: safe, the next start recovers from the WAL.
    sendSignal(pid, 'SIGQUIT');
    if (!(await waitUntil(gone, 5000))) sendSignal(pid, 'SIGKILL');
  }
  const ended = await waitUntil(() => serverProcesses(cluster).length === 0, 5000);
  if (!ended) for (const left of serverProcesses(cluster)) sendSignal(left, 'SIGKILL');
}

/** The server that the data directory's `postmaster.pid` names; it may be long dead. */
export function readPostmasterFile(data: string): { pid: number; socketDirectory: string } | undefined {
  try {
    const lines = fs.readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n');
    return { pid: Number(lines[0]), socketDirectory: lines[4] ?? '' };
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function isMarkedReady(data: string): boolean {
  try {
    return fs.readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[7]?.trim() === 'ready';
  } catch {
    return false;
  }
}

/** The socket that clients of a server in this folder connect to. */
export function socketPath(socketDirectory: string): string {
  return join(socketDirectory, '.s.PGSQL.5432');
}

async function start(plan: ServerPlan, end: number): Promise<RunningServer | 'held'> {
  boundLog(plan.log);
  const output = fs.openSync(plan.log, 'a', 0o600);
  const logPosition = fs.fstatSync(output).size;
  const child = spawn(plan.binaries.postgres, serverArguments(plan, clusterName(plan.data)), {
    ...plan.identity,
    cwd: '/',
    env: serverEnvironment,
    stdio: ['ignore', output, output],
  });
  fs.closeSync(output);
  let exited: string | undefined;
  const gone = whenExited(child).then((how) => {
    exited = how;
  });
  const socket = socketPath(plan.socketDirectory);
  // The file says it first; asking before that would only fill the log.
  const isReady = async () => isMarkedReady(plan.data) && (await probe(socket)) === 'ready';
  const ready = () => exited !== undefined || isReady();
  const inTime = await waitUntil(ready, end - performance.now(), 5);
  if (inTime && exited === undefined && child.pid !== undefined)
    return { pid: child.pid, adopted: false, gone };
  if (exited === undefined) {
    child.kill('SIGQUIT');
    return 'held';
  }
  const said = readLogSince(plan.log, logPosition);
  // Backends of a killed server may live for a moment; PostgreSQL refuses to start beside them.
  if (/pre-existing shared memory block|lock file ".*" already exists/.test(said)) return 'held';
  const reasons = said.split('\n').filter((line) => /FATAL|PANIC|ERROR|HINT|error while loading/.test(line));
  throw new EmbeddedError('EMBEDDED_UNAVAILABLE', {
    message:
      `the embedded PostgreSQL ended while it started (${exited}): ` +
      `${reasons.slice(-3).join(' ') || said.slice(-300)}; its log is ${plan.log}; ${useAnotherDatabase}`,
    details: { log: plan.log },
  });
}

function whenExited(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, killedBy) => resolve(killedBy ?? `exit code ${code}`));
  });
}

async function becomesReady(
  running: { pid: number; socketDirectory: string },
  cluster: string,
  end: number,
): Promise<boolean> {
  let deafUntil = performance.now() + deafServerPatienceMs;
  let ready = false;
  await waitUntil(
    async () => {
      const state = await probe(socketPath(running.socketDirectory));
      ready = state === 'ready';
      // A server that recovers listens and says so; one without a socket is beyond reach.
      if (state === 'starting') deafUntil = performance.now() + deafServerPatienceMs;
      return ready || performance.now() > deafUntil || !isServerProcess(running.pid, cluster);
    },
    end - performance.now(),
    20,
  );
  return ready;
}

// Not our child, so the system does not tell us about its end.
function adopt(pid: number, cluster: string): RunningServer {
  const dead = () => !isAlive(pid) || (process.platform === 'linux' && !isServerProcess(pid, cluster));
  return { pid, adopted: true, gone: waitUntil(dead, Number.POSITIVE_INFINITY, 200).then(() => undefined) };
}

/** Ends backends that outlived their server: nobody can hear them, and no server starts beside them. */
async function endOrphans(plan: ServerPlan, cluster: string): Promise<void> {
  const orphans = serverProcesses(cluster);
  if (orphans.length === 0) return;
  plan.say(`waiting for ${orphans.length} processes of a server that died`);
  for (const pid of orphans) sendSignal(pid, 'SIGTERM');
  if (await waitUntil(() => serverProcesses(cluster).length === 0, orphanPatienceMs, 20)) return;
  for (const pid of serverProcesses(cluster)) sendSignal(pid, 'SIGKILL');
  await waitUntil(() => serverProcesses(cluster).length === 0, orphanPatienceMs, 20);
}

/**
 * Removes a `postmaster.pid` whose process id now belongs to some other program: PostgreSQL would take that
 * one for a server and refuse to start. No process of the server is left when this is called.
 */
function removeForeignPidFile(data: string, cluster: string): void {
  const named = readPostmasterFile(data);
  if (named === undefined || !isAlive(named.pid) || isServerProcess(named.pid, cluster)) return;
  fs.rmSync(join(data, 'postmaster.pid'), { force: true });
}
