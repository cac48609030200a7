/**
 * The temporary folders of test servers, and how servers end for sure: with the process that started them, by
 * its exit hook; and where that process was killed, by the next run, which finds the folder without an owner.
 */
import * as fs from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serverUser } from './server-binaries.ts';

const prefix = 'lineshaft-pg-';
const sweepAfterMs = 10 * 60_000;
const ownFolders = new Set<string>();

// Paths of unix sockets end at 107 bytes; temporary folders of some systems are half of that already.
function parentFolder(): string {
  const folder = tmpdir();
  return folder.length > 50 && fs.existsSync('/tmp') ? '/tmp' : folder;
}

/** Makes a folder that the user of the server owns; the name tells which process it belongs to. */
export function makeServerFolder(): string {
  if (ownFolders.size === 0) {
    sweepFolders();
    process.once('exit', () => {
      for (const folder of ownFolders) removeServerFolder(folder);
    });
  }
  const folder = fs.mkdtempSync(join(parentFolder(), `${prefix}${process.pid}-`));
  ownFolders.add(folder);
  const user = serverUser();
  if (user.uid !== undefined && user.gid !== undefined) fs.chownSync(folder, user.uid, user.gid);
  return folder;
}

/** Ends the server of a folder, if it runs, and removes the folder. */
export function removeServerFolder(folder: string): void {
  const pid = postmasterOf(folder);
  if (pid !== undefined) killAll(pid);
  // Processes that are just ending may still write files.
  fs.rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  ownFolders.delete(folder);
}

/** Kills a server with all of its processes by SIGKILL and waits until they are gone. */
export async function endServer(postmaster: number): Promise<void> {
  const ended = killAll(postmaster);
  while (ended.some(isAlive)) await new Promise((resolve) => setTimeout(resolve, 5));
}

/**
 * Each process of a server has a process group of its own, so they are found as children. The postmaster is
 * stopped first: it would start new ones meanwhile.
 */
function killAll(postmaster: number): number[] {
  signal(postmaster, 'SIGSTOP');
  const all = [postmaster, ...childrenOf(postmaster)];
  for (const pid of all) signal(pid, 'SIGKILL');
  return all;
}

function childrenOf(parent: number): number[] {
  // Without /proc the children notice by themselves, some moments later, that their parent is gone.
  if (!fs.existsSync('/proc/self/stat')) return [];
  return fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => statusOf(Number(name))?.parent === parent)
    .map(Number);
}

function statusOf(pid: number): { state: string; parent: number } | undefined {
  try {
    const text = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name of the program, in brackets, may hold anything.
    const [state = '', parent = ''] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state, parent: Number(parent) };
  } catch {
    return undefined;
  }
}

/** Whether a process runs; one that waits for its parent to take its exit code (a zombie) does not. */
function isAlive(pid: number): boolean {
  const status = statusOf(pid);
  if (status !== undefined) return status.state !== 'Z';
  return !fs.existsSync('/proc/self/stat') && signal(pid, 0);
}

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch (error) {
    // It is there, and somebody else's.
    return (error as { code?: string }).code === 'EPERM';
  }
}

/** The postmaster of a folder, if it is alive: its number alone may belong to somebody else by now. */
function postmasterOf(folder: string): number | undefined {
  let pid: number;
  try {
    pid = Number(fs.readFileSync(join(folder, 'data', 'postmaster.pid'), 'utf8').split('\n')[0]);
  } catch {
    return undefined;
  }
  if (!Number.isInteger(pid) || pid <= 1 || !signal(pid, 0)) return undefined;
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder) ? pid : undefined;
  } catch {
    return fs.existsSync('/proc/self/stat') ? undefined : pid;
  }
}

function sweepFolders(): void {
  for (const name of fs.readdirSync(parentFolder())) {
    const owner = new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1];
    if (owner === undefined || signal(Number(owner), 0)) continue;
    const folder = join(parentFolder(), name);
    try {
      // A young one may belong to a process of another container that shares the temporary folder.
      if (Date.now() - fs.statSync(folder).mtimeMs > sweepAfterMs) removeServerFolder(folder);
    } catch {
      // It belongs to another user, who sweeps it with a run of his own.
    }
  }
}

/** A free port below those that systems hand out to clients, so that it stays free while a server is down. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const port = 15_000 + Math.floor(Math.random() * 15_000);
    const free = await new Promise<boolean>((resolve) => {
      const probe = createServer();
      probe.once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
    });
    if (free) return port;
  }
  throw new Error('found no free TCP port on 127.0.0.1 between 15000 and 30000');
}
