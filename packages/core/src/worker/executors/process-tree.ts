/**
 * Processes and what they started: listing, memory, ending. Reads `/proc`, which Linux has; elsewhere only
 * the process group is ended and no memory can be measured.
 */

import { readdirSync, readFileSync } from 'node:fs';

/** Whether the memory of processes can be measured on this system. */
export const canMeasureMemory = process.platform === 'linux';

/** Which processes each process has started, those that have. */
export type ChildrenOf = ReadonlyMap<number, readonly number[]>;

/** A process and its descendants, parents before children. */
export function listTree(pid: number, children: ChildrenOf = readChildren()): number[] {
  const tree = [pid];
  // `tree` grows while it is walked.
  for (const parent of tree) tree.push(...(children.get(parent) ?? []));
  return tree;
}

/** Resident memory of processes together, in bytes; those that have ended count 0. */
export function residentBytes(pids: readonly number[]): number {
  let total = 0;
  for (const pid of pids) {
    const found = /^VmRSS:\s+(\d+) kB/m.exec(readText(`/proc/${pid}/status`));
    if (found !== null) total += Number(found[1]) * 1_024;
  }
  return total;
}

/** Sends a signal to the group that a process leads, and to descendants that have left the group. */
export function signalTree(pid: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  // Listed first: when a parent is gone its children have another.
  const tree = listTree(pid);
  signalOne(-pid, signal);
  for (const member of tree) signalOne(member, signal);
}

/** Sends a signal to the group that a process led, which may have ended itself. */
export function signalGroup(pid: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  signalOne(-pid, signal);
}

function signalOne(pid: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended already.
  }
}

/** Looks at all processes of the system. */
export function readChildren(): ChildrenOf {
  const children = new Map<number, number[]>();
  if (!canMeasureMemory) return children;
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const stat = readText(`/proc/${pid}/stat`);
    // `pid (name) state ppid …`: the name may hold spaces and brackets.
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ', 2)[1]);
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [pid]);
    else siblings.push(pid);
  }
  return children;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
