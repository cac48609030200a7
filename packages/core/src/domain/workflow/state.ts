/**
 * A run with its steps in memory, indexed so that a decision costs what changed and not what there is. `readState` makes it
 * from rows, `applyDecision` brings it forward in place; both must come to the same. Nobody else changes it: decisions only
 * read. What is indexed can always be told from the rows; but for `origins` nothing is kept here that they do not say.
 */

import { SmallMap, SmallSet } from '../small-collections.ts';
import { type Branch, compile, compileBranch, findNode, type Node } from './compile.ts';
import { type Deadlines, deadlineOf, noDeadlines, setDeadline } from './deadlines.ts';
import type { Decision } from './decision.ts';
import type { StepDefinition } from './definition.ts';
import { Origins } from './origins.ts';
import type { Run, Step } from './run.ts';
import { hasFailed, isDone, isTerminal, isUnsuccessful } from './status.ts';

export interface RunState {
  run: Run;
  /** By `seq`. */
  readonly steps: Map<number, Step>;
  readonly byId: Map<string, Step>;
  /** The last attempt of each ref (with its `__N`). */
  readonly latest: Map<string, Step>;
  /** By its reference name as the definition has it: the last instance, of whichever iteration and attempt. */
  readonly named: Map<string, Step>;
  /** By the id of a fork or loop, the `seq` of all steps in its branches or iterations. */
  readonly children: SmallMap<string, Set<number>>;
  /** Nodes of branches that came at run time and have steps inside, by their ref with its `__N`. */
  readonly dynamic: SmallMap<string, Node>;
  /** `seq` of those that have not ended. */
  readonly open: SmallSet<number>;
  /** `seq` of those that have not ended and wait for other steps of the run: joins, and loops in an iteration. */
  readonly passive: SmallSet<number>;
  /** `seq` of those that have ended, but what follows was not decided yet: the run is paused, or there is more to do. */
  readonly undecided: SmallSet<number>;
  /** `seq` of those that ended badly, and no attempt followed. */
  readonly unsuccessful: SmallSet<number>;
  /** `seq` of those that have failed, also where another attempt followed. */
  readonly failures: SmallSet<number>;
  /** JOIN and EXCLUSIVE_JOIN that have not ended: which refs each still waits for, by its `seq`. */
  readonly joins: SmallMap<number, Set<string>>;
  /** By ref, the `seq` of the joins that name it and have not ended. */
  readonly joinsOf: SmallMap<string, Set<number>>;
  /** When time alone changes a step. */
  readonly deadlines: Deadlines;
  /** Of values that this process has written: told by who writes, and not by the rows. */
  readonly origins: Origins;
}

/** The state of a run from its rows. `steps`: all that there are, in any order. */
export function readState(run: Run, steps: readonly Step[]): RunState {
  const state: RunState = {
    run,
    steps: new Map(),
    byId: new Map(),
    latest: new Map(),
    named: new Map(),
    children: new SmallMap(),
    dynamic: new SmallMap(),
    open: new SmallSet(),
    passive: new SmallSet(),
    undecided: new SmallSet(),
    unsuccessful: new SmallSet(),
    failures: new SmallSet(),
    joins: new SmallMap(),
    joinsOf: new SmallMap(),
    deadlines: noDeadlines(),
    origins: new Origins(),
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
  if (written) state.run = { ...(decision.run ?? state.run), revision: state.run.revision + 1 };
  applyRows(state, undefined, decision.steps, decision.removed);
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
  removeAll(state, removed);
  for (const step of steps) put(state, step);
  for (const step of steps) if (isJoin(step)) watchJoin(state, step);
}

/** The steps in their order. */
export function stepsOf(state: RunState): Step[] {
  return [...state.steps.values()].sort((a, b) => a.seq - b.seq);
}

/** It has not ended, and waits for other steps of its run. A loop with a `dueAt` waits for its condition. */
export function isPassive(step: Step): boolean {
  if (isTerminal(step.status)) return false;
  return isJoin(step) || (step.type === 'DO_WHILE' && step.dueAt === undefined);
}

/** One that was skipped has nothing to be decided: the flow goes over it when it comes there. */
function isUndecided(step: Step): boolean {
  return isTerminal(step.status) && step.status !== 'SKIPPED' && !step.executed && !step.retried;
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

/** What a step is in its definition; a branch that came at run time carries its own. */
export function nodeOf(state: Pick<RunState, 'run' | 'dynamic'>, step: Step): Node {
  const known =
    state.dynamic.size > 0
      ? (findNode(state.dynamic, step.ref) ?? staticNode(state, step))
      : staticNode(state, step);
  return known ?? dynamicBranch(step.definition, suffixOf(step)).root;
}

/** A branch that came at run time, its nodes by their refs with `suffix`. */
export function dynamicBranch(definition: StepDefinition, suffix: string): Branch {
  const { root, byRef } = compileBranch(definition);
  if (byRef.size === 0 || suffix === '') return { root, byRef };
  return { root, byRef: new Map([...byRef].map(([ref, node]) => [`${ref}${suffix}`, node])) };
}

function staticNode(state: Pick<RunState, 'run'>, step: Step): Node | undefined {
  return compile(state.run.definition).byRef.get(step.definition.taskReferenceName);
}

function put(state: RunState, step: Step): void {
  const known = state.steps.has(step.seq);
  state.steps.set(step.seq, step);
  state.byId.set(step.id, step);
  setLatest(state.latest, step.ref, step);
  setLatest(state.named, step.definition.taskReferenceName, step);
  if (!known) place(state, step);
  const terminal = isTerminal(step.status);
  toggle(state.open, step.seq, !terminal);
  toggle(state.passive, step.seq, isPassive(step));
  toggle(state.undecided, step.seq, isUndecided(step));
  toggle(state.unsuccessful, step.seq, isUnsuccessful(step.status) && !step.retried);
  toggle(state.failures, step.seq, hasFailed(step.status));
  setDeadline(state.deadlines, step.seq, deadlineOf(step));
  tellJoins(state, step.ref);
}

/** Where a new step lies. */
function place(state: RunState, step: Step): void {
  if (step.parentStepId !== undefined) addTo(state.children, step.parentStepId, step.seq);
  if (staticNode(state, step) !== undefined) return;
  if (state.dynamic.size > 0 && findNode(state.dynamic, step.ref) !== undefined) return;
  for (const [ref, node] of dynamicBranch(step.definition, suffixOf(step)).byRef)
    state.dynamic.set(ref, node);
}

function setLatest(map: Map<string, Step>, key: string, step: Step): void {
  const latest = map.get(key);
  if (latest === undefined || step.seq >= latest.seq) map.set(key, step);
}

function removeAll(state: RunState, removed: readonly number[]): void {
  if (removed.length === 0) return;
  const gone = removed.flatMap((seq) => state.steps.get(seq) ?? []);
  for (const step of gone) {
    state.steps.delete(step.seq);
    state.byId.delete(step.id);
    if (state.latest.get(step.ref) === step) state.latest.delete(step.ref);
    const name = step.definition.taskReferenceName;
    if (state.named.get(name) === step) state.named.delete(name);
    if (step.parentStepId !== undefined) takeFrom(state.children, step.parentStepId, step.seq);
    state.open.delete(step.seq);
    state.passive.delete(step.seq);
    state.undecided.delete(step.seq);
    state.unsuccessful.delete(step.seq);
    state.failures.delete(step.seq);
    setDeadline(state.deadlines, step.seq, undefined);
    unwatchJoin(state, step);
  }
  restoreLatest(state, gone);
  for (const step of gone) tellJoins(state, step.ref);
  for (const ref of state.dynamic.size > 0 ? gone.map((step) => step.ref) : [])
    if (!state.latest.has(ref)) state.dynamic.delete(ref);
}

/** Earlier instances of what is gone, where they are still there, are the latest again: one look at what is left. */
function restoreLatest(state: RunState, gone: readonly Step[]): void {
  const refs = new Set(gone.map((step) => step.ref));
  const names = new Set(gone.map((step) => step.definition.taskReferenceName));
  for (const step of state.steps.values()) {
    if (refs.has(step.ref)) setLatest(state.latest, step.ref, step);
    if (names.has(step.definition.taskReferenceName))
      setLatest(state.named, step.definition.taskReferenceName, step);
  }
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
    takeFrom(state.joinsOf, ref, join.seq);
  }
}

function waitsFor(state: RunState, ref: string): boolean {
  const step = state.latest.get(ref);
  return step === undefined || !isDone(step);
}

function addTo(map: SmallMap<string, Set<number>>, key: string, value: number): void {
  const set = map.get(key);
  if (set === undefined) map.set(key, new Set([value]));
  else set.add(value);
}

function takeFrom(map: SmallMap<string, Set<number>>, key: string, value: number): void {
  const set = map.get(key);
  set?.delete(value);
  if (set?.size === 0) map.delete(key);
}

function toggle<Value>(
  set: Pick<Set<Value>, 'delete'> & { add(value: Value): unknown },
  value: Value,
  wanted: boolean,
): void {
  if (wanted) set.add(value);
  else set.delete(value);
}
