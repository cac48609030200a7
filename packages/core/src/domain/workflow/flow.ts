/** The flow of a run: what begins where it has come to, and where it goes from a step that is done. */

import { isLineshaftError } from '../errors.ts';
import type { Next, Node } from './compile.ts';
import { type Draft, RunFailure } from './draft.ts';
import { addStep, endStep } from './make-step.ts';
import type { Step } from './run.ts';
import { suffixOf } from './state.ts';
import { isTerminal } from './status.ts';
import { typeOfDefinition, typeOfStep } from './steps/registry.ts';
import type { Reached } from './steps/step-type.ts';
import { chosen } from './steps/switch.ts';

/** Begins the step of a node. */
export function begin(draft: Draft, reached: Reached): void {
  const { node, suffix } = reached;
  const ref = `${node.ref}${suffix}`;
  const before = draft.latest(ref);
  try {
    typeOfDefinition(node.definition).begin(draft, reached);
  } catch (error) {
    const reason = reasonOf(error);
    const begun = draft.latest(ref);
    if (begun !== undefined && begun !== before && begun.id !== before?.id) {
      endStep(draft, begun, 'FAILED_WITH_TERMINAL_ERROR', { reason });
      return;
    }
    const { name, type = 'SIMPLE' } = node.definition;
    const id = draft.context.newId();
    addStep(draft, reached, { id, type, name, status: 'FAILED_WITH_TERMINAL_ERROR', input: {}, reason });
  }
}

/** Does something with a step; expressions that are too much end it, no other attempt would do better. */
export function within(draft: Draft, step: Step, action: () => void): void {
  try {
    action();
  } catch (error) {
    endStep(draft, draft.step(step.seq) ?? step, 'FAILED_WITH_TERMINAL_ERROR', { reason: reasonOf(error) });
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof RunFailure || !isLineshaftError(error)) throw error;
  return error.message;
}

/** A step is done: tells who waits for it, and goes on to what follows. */
export function follow(draft: Draft, step: Step): void {
  for (const seq of draft.tellJoins(step.ref)) look(draft, seq);
  const node = draft.nodeOf(step);
  const first = step.type === 'SWITCH' || step.type === 'DECISION' ? chosenBy(node, step) : undefined;
  const next: Next = first === undefined ? node.next : { type: 'node', node: first };
  const { parentStepId } = step;
  proceed(draft, next, { suffix: suffixOf(step), iteration: iterationOf(draft, step), parentStepId });
}

function chosenBy(node: Node, step: Step): Node | undefined {
  // One that failed, and is optional, has chosen nothing.
  return step.status === 'COMPLETED' ? chosen(node, step) : undefined;
}

/** Goes to what is next; over steps that were skipped before the flow came to them. */
export function proceed(draft: Draft, next: Next, place: Omit<Reached, 'node'>): void {
  let to = next;
  while (to.type === 'node') {
    const { node } = to;
    const known = draft.latest(`${node.ref}${place.suffix}`);
    if (known === undefined) {
      draft.reach([{ ...place, node }]);
      return;
    }
    // Where the flow was before, as after a rerun, it does not go again; a loop may have waited for this step alone.
    if (known.status !== 'SKIPPED') {
      lookAround(draft, place.parentStepId);
      return;
    }
    to = node.next;
  }
  if (to.type !== 'end') lookAround(draft, place.parentStepId);
}

/** The iteration in which a step lies; what a loop calls its own is that of its insides. */
function iterationOf(draft: Draft, step: Step): number {
  if (step.type !== 'DO_WHILE') return step.iteration;
  const parent = step.parentStepId === undefined ? undefined : draft.byId(step.parentStepId);
  return parent?.iteration ?? 0;
}

/** A branch or an iteration has come to its end: the loop around it may have waited for that. */
function lookAround(draft: Draft, parentStepId: string | undefined): void {
  let id = parentStepId;
  while (id !== undefined) {
    const parent = draft.byId(id);
    if (parent === undefined) return;
    if (parent.type === 'DO_WHILE') {
      look(draft, parent.seq);
      return;
    }
    id = parent.parentStepId;
  }
}

/** Lets a join or a loop see whether what it waits for has come. */
export function look(draft: Draft, seq: number): void {
  const step = draft.step(seq);
  if (step !== undefined && !isTerminal(step.status))
    within(draft, step, () => typeOfStep(step).look?.(draft, step));
}
