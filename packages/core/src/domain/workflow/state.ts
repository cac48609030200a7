/**
 * A run with its steps in memory, indexed so that a decision costs what changed and not what there is. `readState` makes it
 * from rows, `applyDecision` brings it forward in place; both must come to the same. Nobody else changes it: decisions only
 * read. What is indexed can always be told from the rows; nothing is kept here that they do not say.
 */

import { type Deadlines, deadlineOf, forgetDeadline, noDeadlines, setDeadline } from './deadlines.ts';
import type { Decision } from './decision.ts';
import type { Run, Step } from './run.ts';
import { isDone, isTerminal, isUnsuccessful } from './status.ts';

export interface RunState {
  run: Run;
  /** By `seq`. */
  readonly steps: Map<number, Step>;
  readonly byId: Map<string, Step>;
  /** The last attempt of each ref (with its `__N`). */
  readonly latest: Map<string, Step>;
  /** `seq` of those that have not ended. */
  readonly open: Set<number>;
  /** `seq` of those that have ended, but what follows was not decided yet: the run is paused, or there is more to do. */
  readonly undecided: Set<number>;
  /** `seq` of those that ended badly, and no attempt followed. */
  readonly unsuccessful: Set<number>;
  /** JOIN and EXCLUSIVE_JOIN that have not ended: which refs each still waits for, by its `seq`. */
  readonly joins: Map<number, Set<string>>;
  /** By ref, the `seq` of the joins that name it and have not ended. */
  readonly joinsOf: Map<string, Set<number>>;
  /** When time alone changes a step. */
  readonly deadlines: Deadlines;
}

/** The state of a run from its rows. `steps`: all that there are, in any order. */
export function readState(run: Run, steps: readonly Step[]): RunState {
  const state: RunState = {
    run,
    steps: new Map(),
    byId: new Map(),
    latest: new Map(),
    open: new Set(),
    undecided: new Set(),
    unsuccessful: new Set(),
    joins: new Map(),
    joinsOf: new Map(),
    deadlines: noDeadlines(),
  };
  applyRows(
    state,
    undefined,
    [...steps].sort((a, b) => a.seq - b.seq),
    [],
  );
  return state;
}

/**
 * Brings a state to where it is after a decision was written: changes `state`, and returns it. The revision grows by one if
 * anything was written.
 */
export function applyDecision(state: RunState, decision: Decision): RunState {
  const written = decision.run !== undefined || decision.steps.length > 0 || decision.removed.length > 0;
  applyRows(state, decision.run, decision.steps, decision.removed);
  if (written) state.run = { ...state.run, revision: state.run.revision + 1 };
  return state;
}

/** Takes in rows that were written since the state was read: `run` (undefined: as it was), steps, and `seq` of those gone. */
export function applyRows(
  state: RunState,
  run: Run | undefined,
  steps: readonly Step[],
  removed: readonly number[],
): void {
  if (run !== undefined) state.run = { ...run, revision: state.run.revision };
  for (const seq of removed) remove(state, seq);
  for (const step of steps) put(state, step);
  for (const step of steps) if (isJoin(step)) watchJoin(state, step);
}

/** The steps in their order. */
export function stepsOf(state: RunState): Step[] {
  return [...state.steps.values()].sort((a, b) => a.seq - b.seq);
}

export function isJoin(step: Step): boolean {
  return step.type === 'JOIN' || step.type === 'EXCLUSIVE_JOIN';
}

/** The refs that a join names (its input has them without `__N`), as they are in its iteration. */
export function awaitedRefs(join: Step): readonly string[] {
  const suffix = suffixOf(join);
  const named = [join.input['joinOn'], join.input['defaultExclusiveJoinTask']];
  return named.flatMap((refs) => (Array.isArray(refs) ? refs.map((ref) => `${ref}${suffix}`) : []));
}

/** The `__N` of the iterations in which a step lies, outermost first; '' outside loops. */
export function suffixOf(step: Step): string {
  return step.ref.slice(step.definition.taskReferenceName.length);
}

function put(state: RunState, step: Step): void {
  state.steps.set(step.seq, step);
  state.byId.set(step.id, step);
  const latest = state.latest.get(step.ref);
  if (latest === undefined || step.seq >= latest.seq) state.latest.set(step.ref, step);
  const terminal = isTerminal(step.status);
  toggle(state.open, step.seq, !terminal);
  toggle(state.undecided, step.seq, terminal && !step.executed && !step.retried);
  toggle(state.unsuccessful, step.seq, isUnsuccessful(step.status) && !step.retried);
  setDeadline(state.deadlines, step.seq, deadlineOf(step));
  tellJoins(state, step.ref);
}

function remove(state: RunState, seq: number): void {
  const step = state.steps.get(seq);
  if (step === undefined) return;
  state.steps.delete(seq);
  state.byId.delete(step.id);
  if (state.latest.get(step.ref) === step) restoreLatest(state, step);
  state.open.delete(seq);
  state.undecided.delete(seq);
  state.unsuccessful.delete(seq);
  forgetDeadline(state.deadlines, seq);
  unwatchJoin(state, step);
  tellJoins(state, step.ref);
}

/** The attempt before one that is gone, if it is still there, is the latest again. */
function restoreLatest(state: RunState, gone: Step): void {
  const before = gone.retriedStepId === undefined ? undefined : state.byId.get(gone.retriedStepId);
  if (before === undefined) state.latest.delete(gone.ref);
  else state.latest.set(gone.ref, before);
}

/** A ref has changed: joins that name it wait for it, or not any more. */
function tellJoins(state: RunState, ref: string): void {
  const joins = state.joinsOf.get(ref);
  if (joins === undefined) return;
  const waits = waitsFor(state, ref);
  for (const seq of joins) {
    const waiting = state.joins.get(seq);
    if (waiting !== undefined) toggle(waiting, ref, waits);
  }
}

function watchJoin(state: RunState, join: Step): void {
  if (isTerminal(join.status)) {
    unwatchJoin(state, join);
    return;
  }
  const waiting = new Set<string>();
  for (const ref of awaitedRefs(join)) {
    addTo(state.joinsOf, ref, join.seq);
    if (waitsFor(state, ref)) waiting.add(ref);
  }
  state.joins.set(join.seq, waiting);
}

function unwatchJoin(state: RunState, join: Step): void {
  if (!state.joins.delete(join.seq)) return;
  for (const ref of awaitedRefs(join)) {
    const joins = state.joinsOf.get(ref);
    joins?.delete(join.seq);
    if (joins?.size === 0) state.joinsOf.delete(ref);
  }
}

function waitsFor(state: RunState, ref: string): boolean {
  const step = state.latest.get(ref);
  return step === undefined || !isDone(step);
}

function addTo(map: Map<string, Set<number>>, key: string, value: number): void {
  const set = map.get(key);
  if (set === undefined) map.set(key, new Set([value]));
  else set.add(value);
}

function toggle<Value>(set: Set<Value>, value: Value, wanted: boolean): void {
  if (wanted) set.add(value);
  else set.delete(value);
}
