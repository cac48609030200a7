/**
 * Finds the processes of one PostgreSQL server by its cluster name, which stands in the command line of the
 * server and in the title of each of its backends. A process id alone says nothing: it may have been given
 * to another process since. Command lines can be read whoever the process belongs to; its working folder
 * can't be where root lacks CAP_SYS_PTRACE (containers).
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { systemCode } from './errors.ts';

/** The cluster name of the server on a data directory. */
export function clusterName(dataDirectory: string): string {
  return `lineshaft-${createHash('sha256').update(dataDirectory).digest('hex').slice(0, 16)}`;
}

/** Ids of all live processes of the server with this cluster name. */
export function serverProcesses(cluster: string): number[] {
  if (process.platform !== 'linux') {
    return spawnSync('ps', ['-axo', 'pid=,command='], { encoding: 'utf8', timeout: 5000 })
      .stdout.split('\n')
      .map((line) => /^\s*(\d+)\s+(.*)$/.exec(line))
      .filter((found) => found !== null && isOf(found[2] ?? '', cluster))
      .map((found) => Number(found?.[1]));
  }
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && isOf(commandLine(Number(name)), cluster))
    .map(Number);
}

/** Whether this process lives and is the server with this cluster name, or one of its backends. */
export function isServerProcess(pid: number, cluster: string): boolean {
  return process.platform === 'linux'
    ? isOf(commandLine(pid), cluster)
    : serverProcesses(cluster).includes(pid);
}

/** Whether there is a process with this id, whoever it belongs to. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}

/** Sends a signal; that the process has gone already is no error. */
export function sendSignal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // Gone, or no longer ours.
  }
}

/** Resolves with true when the condition holds, with false when the time is up. */
export async function waitUntil(
  holds: () => boolean | Promise<boolean>,
  limitMs: number,
  pauseMs = 10,
): Promise<boolean> {
  const end = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() >= end) return false;
    await delay(pauseMs);
  }
  return true;
}

// Only programs called postgres: an editor or grep may have the name in its command line too.
function isOf(commandLine: string, cluster: string): boolean {
  return (
    commandLine.includes(cluster) && /^(?:\S*\/)?postgres(?:[:\s]|$)|\/bin\/postgres\s/.test(commandLine)
  );
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}
