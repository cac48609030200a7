/** CPU time and peak memory of processes, read from /proc (Linux only). */
import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;

interface Process {
  readonly pid: number;
  readonly parent: number;
  /** Own ticks and those of children that have ended and were waited for. */
  readonly ticks: number;
}

/**
 * CPU seconds of a process and all its descendants, ended ones included: a child's time moves to its parent
 * when it is waited for, so the sum over the tree never loses any.
 */
export function treeCpuSeconds(root: number): number {
  const children = Map.groupBy(allProcesses(), (each) => each.parent);
  const own = readProcess(root);
  const queue = own === undefined ? [] : [own];
  let ticks = 0;
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    ticks += next.ticks;
    queue.push(...(children.get(next.pid) ?? []));
  }
  return ticks / TICKS_PER_SECOND;
}

/** The most memory that a process and its living descendants ever had resident, each at its own peak. */
export function treePeakMegabytes(root: number): number {
  return treeMegabytes(root, 'VmHWM');
}

/** The memory that a process and its living descendants have resident now. */
export function treeResidentMegabytes(root: number): number {
  return treeMegabytes(root, 'VmRSS');
}

function treeMegabytes(root: number, field: 'VmHWM' | 'VmRSS'): number {
  const children = Map.groupBy(allProcesses(), (each) => each.parent);
  const queue = [root];
  let kilobytes = 0;
  for (let pid = queue.pop(); pid !== undefined; pid = queue.pop()) {
    kilobytes += kilobytesOf(pid, field);
    queue.push(...(children.get(pid) ?? []).map((child) => child.pid));
  }
  return kilobytes / 1024;
}

function kilobytesOf(pid: number, field: string): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0);
  } catch {
    return 0;
  }
}

function allProcesses(): Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name)) ?? []);
}

function readProcess(pid: number): Process | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command may hold blanks and brackets; the fields after its last bracket are numbers.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [utime, stime, cutime, cstime] = fields.slice(11, 15).map(Number);
    return {
      pid,
      parent: Number(fields[1]),
      ticks: (utime ?? 0) + (stime ?? 0) + (cutime ?? 0) + (cstime ?? 0),
    };
  } catch {
    return undefined;
  }
}
