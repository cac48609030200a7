/**
 * When time alone changes a step: its time-outs, the end of a WAIT, a script whose result is missed. Kept in a heap beside
 * the steps, so that neither the next deadline nor those that are due cost a look at all steps. Entries of steps that have
 * moved on stay in the heap until they come up, or are half of it.
 */

import { SmallMap } from '../small-collections.ts';
import type { TaskDefinition } from './definition.ts';
import type { Step } from './run.ts';
import { isTerminal } from './status.ts';

interface Entry {
  readonly at: number;
  readonly seq: number;
}

export interface Deadlines {
  /** What counts. */
  readonly of: SmallMap<number, number>;
  /** Smallest first; an entry whose time is not that of `of` is outdated. */
  heap: Entry[];
}

/** Ms since 1970; undefined: time changes nothing. */
export function deadlineOf(step: Step): number | undefined {
  if (isTerminal(step.status)) return undefined;
  let earliest = step.dueAt;
  const consider = (at: number | undefined) => {
    if (at !== undefined && (earliest === undefined || at < earliest)) earliest = at;
  };
  const definition = step.definition.taskDefinition;
  if (definition !== undefined) {
    consider(totalDeadline(step, definition));
    consider(attemptDeadline(step, definition));
    consider(pollDeadline(step, definition));
  }
  return earliest;
}

/** When all attempts together have taken too long. */
export function totalDeadline(step: Step, definition: TaskDefinition): number | undefined {
  const seconds = definition.totalTimeoutSeconds ?? 0;
  return seconds > 0 ? step.firstScheduledAt + seconds * 1_000 : undefined;
}

/** When this attempt, which has started, has taken too long. ALERT_ONLY changes nothing. */
export function attemptDeadline(step: Step, definition: TaskDefinition): number | undefined {
  const seconds = definition.timeoutSeconds ?? 0;
  if (seconds <= 0 || step.startedAt === undefined || definition.timeoutPolicy === 'ALERT_ONLY') return;
  return step.startedAt + (step.startDelaySeconds + seconds) * 1_000;
}

/** When nobody has taken it for too long. */
export function pollDeadline(step: Step, definition: TaskDefinition): number | undefined {
  const seconds = definition.pollTimeoutSeconds ?? 0;
  if (seconds <= 0 || step.status !== 'SCHEDULED' || definition.timeoutPolicy === 'ALERT_ONLY') return;
  return step.scheduledAt + (step.startDelaySeconds + step.callbackAfterSeconds + seconds) * 1_000;
}

/** Of a step that goes on after its end, since somebody wants it to: all its deadlines count from now. */
export function countedFrom(now: number): Pick<Step, 'scheduledAt' | 'firstScheduledAt' | 'startedAt'> {
  return { scheduledAt: now, firstScheduledAt: now, startedAt: now };
}

export function noDeadlines(): Deadlines {
  return { of: new SmallMap(), heap: [] };
}

export function setDeadline(deadlines: Deadlines, seq: number, at: number | undefined): void {
  if (deadlines.of.get(seq) === at) return;
  if (at === undefined) {
    deadlines.of.delete(seq);
  } else {
    deadlines.of.set(seq, at);
    push(deadlines.heap, { at, seq });
  }
  if (deadlines.heap.length > 64 && deadlines.heap.length > 2 * deadlines.of.size) rebuild(deadlines);
}

/**
 * The deadlines in their order, earliest first, without changing anything. Looks at those alone that are asked for: O(log n)
 * for each.
 */
export function inOrder(deadlines: Deadlines): Iterable<{ at: number; seq: number }> {
  return deadlines.of.size === 0 ? nothing : ordered(deadlines);
}

/** Most runs have no deadlines, and each decision asks for them. */
const nothing: readonly never[] = [];

function* ordered({ heap, of }: Deadlines): Generator<{ at: number; seq: number }> {
  const frontier: Entry[] = [];
  const place = (index: number) => {
    const entry = heap[index];
    if (entry !== undefined) push(frontier, { at: entry.at, seq: index });
  };
  const seen = new Set<number>();
  place(0);
  for (let next = pop(frontier); next !== undefined; next = pop(frontier)) {
    const entry = heap[next.seq];
    if (entry !== undefined && of.get(entry.seq) === entry.at && !seen.has(entry.seq)) {
      seen.add(entry.seq);
      yield entry;
    }
    place(2 * next.seq + 1);
    place(2 * next.seq + 2);
  }
}

function rebuild(deadlines: Deadlines): void {
  // A sorted array is a heap.
  deadlines.heap = [...deadlines.of].map(([seq, at]) => ({ at, seq })).sort((a, b) => a.at - b.at);
}

function push(heap: Entry[], entry: Entry): void {
  let index = heap.length;
  heap.push(entry);
  while (index > 0) {
    const above = (index - 1) >> 1;
    const parent = heap[above];
    if (parent === undefined || parent.at <= entry.at) break;
    heap[index] = parent;
    index = above;
  }
  heap[index] = entry;
}

function pop(heap: Entry[]): Entry | undefined {
  const first = heap[0];
  const last = heap.pop();
  if (first === undefined || last === undefined || heap.length === 0) return first;
  let index = 0;
  for (;;) {
    const left = heap[2 * index + 1];
    const right = heap[2 * index + 2];
    const [child, at] =
      right !== undefined && left !== undefined && right.at < left.at
        ? [right, 2 * index + 2]
        : [left, 2 * index + 1];
    if (child === undefined || child.at >= last.at) break;
    heap[index] = child;
    index = at;
  }
  heap[index] = last;
  return first;
}
