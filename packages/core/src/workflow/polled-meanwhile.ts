/**
 * A poll writes no row of its step, so a run does not know that somebody has it. That matters where nobody may take too long
 * to poll: before the time for it is found to be over, it is asked who has these steps, and the run is told.
 */

import { inOrder, pollDeadline } from '../domain/workflow/deadlines.ts';
import type { RunEvent } from '../domain/workflow/decision.ts';
import type { RunState } from '../domain/workflow/state.ts';
import type { BoundStatements } from '../store/statements.ts';
import type { RunStore } from './run-store.ts';

/**
 * What runs are to hear before it is decided about them at this time. One statement where there is something to ask, mostly none.
 * @param now of the decisions, ms since 1970
 */
export async function polledMeanwhile(
  parts: { readonly store: RunStore; readonly statements: BoundStatements },
  states: readonly RunState[],
  now: number,
): Promise<ReadonlyMap<string, readonly RunEvent[]>> {
  const runOf = new Map<string, string>();
  for (const state of states) {
    if (state.deadlines.of.size === 0) continue;
    for (const stepId of lateSteps(state, now)) runOf.set(stepId, state.run.id);
  }
  const told = new Map<string, RunEvent[]>();
  if (runOf.size === 0) return told;
  const ids = `{${[...runOf.keys()].join(',')}}`;
  for (const [stepId, workerId, taken] of await parts.store.read(parts.statements.heldSteps, [ids])) {
    const runId = runOf.get(stepId ?? '');
    if (stepId == null || runId === undefined) continue;
    const event: RunEvent = { type: 'polled', stepId, workerId: workerId ?? '', at: Number(taken) };
    const events = told.get(runId);
    if (events === undefined) told.set(runId, [event]);
    else events.push(event);
  }
  return told;
}

/** Steps that somebody should have polled by now. */
function* lateSteps(state: RunState, now: number): Iterable<string> {
  for (const { at, seq } of inOrder(state.deadlines)) {
    if (at > now) return;
    const step = state.steps.get(seq);
    const task = step?.definition.taskDefinition;
    if (step === undefined || task === undefined) continue;
    const late = pollDeadline(step, task);
    if (late !== undefined && late <= now) yield step.id;
  }
}
