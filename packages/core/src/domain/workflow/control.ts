/**
 * What people do to runs while they go: pause, resume, terminate, skip a step, let delayed steps be taken at once. Pure; each
 * says what is to be written, or refuses (`try-again.ts` and `rerun.ts` have what is done to runs that have ended).
 */

import { carryOut } from './admission.ts';
import { compile, findNode } from './compile.ts';
import { conclude } from './decide.ts';
import type { DecideContext, Decision } from './decision.ts';
import type { JsonObject } from './definition.ts';
import { Draft } from './draft.ts';
import { endRun } from './end-run.ts';
import { addStep } from './make-step.ts';
import { nameOf, refusal } from './refusal.ts';
import type { RunState } from './state.ts';
import { hasEnded } from './status.ts';
import { enqueue, hasJob } from './steps/worker.ts';

/**
 * Steps that are taken go on and may end, and time-outs hold; nothing new begins. Of a run that is paused: nothing changes.
 *
 * @throws RUN_STATE where it has ended
 */
export function pause(state: RunState, context: DecideContext): Decision {
  if (hasEnded(state.run.status)) {
    throw refusal(state, `Workflow ${nameOf(state.run)} has ended, status cannot be updated.`);
  }
  const draft = new Draft(state, context);
  if (state.run.status === 'RUNNING') draft.setRun({ status: 'PAUSED' });
  return conclude(draft);
}

/** Goes on from what has ended meanwhile; the time-out of the run counts from now. @throws RUN_STATE where it is not paused */
export function resume(state: RunState, context: DecideContext): Decision {
  const { id, status } = state.run;
  if (status !== 'PAUSED') {
    throw refusal(state, `The workflow ${id} is not PAUSED so cannot resume. Current status is ${status}`);
  }
  // It was admitted meanwhile.
  if (state.run.limited?.next !== undefined && !state.run.limited.waits) return carryOut(state, context);
  const draft = new Draft(state, context);
  draft.setRun({ status: 'RUNNING', lastRetriedAt: draft.now });
  return conclude(draft);
}

/**
 * Ends a run: what is open is cancelled, also in runs that it has started. One that failed or timed out is called terminated
 * from now on; one that is, stays as it is.
 *
 * @throws RUN_STATE where it is complete
 */
export function terminate(
  state: RunState,
  options: { readonly reason?: string | undefined; readonly triggerFailureWorkflow?: boolean | undefined },
  context: DecideContext,
): Decision {
  const { status } = state.run;
  if (status === 'COMPLETED') throw refusal(state, 'Cannot terminate a COMPLETED workflow.');
  const draft = new Draft(state, context);
  if (status === 'TERMINATED') return conclude(draft);
  if (hasEnded(status)) draft.setRun({ status: 'TERMINATED', reason: options.reason });
  else {
    endRun(draft, 'TERMINATED', options.reason, undefined, {
      failureWorkflow: options.triggerFailureWorkflow ?? false,
    });
  }
  return conclude(draft);
}

/**
 * Passes over a step that was not reached yet: it is there at once as SKIPPED, and what follows it begins when the flow comes to
 * it.
 *
 * @throws RUN_STATE where the run is not running, has no such step, or has reached it
 */
export function skip(
  state: RunState,
  ref: string,
  given: { readonly input?: JsonObject | undefined; readonly output?: JsonObject | undefined },
  context: DecideContext,
): Decision {
  const { run } = state;
  if (run.status !== 'RUNNING') {
    throw refusal(
      state,
      `The workflow ${run.id} is not running so the task referenced by ${ref} cannot be skipped`,
    );
  }
  if (run.limited?.waits === true) {
    throw refusal(
      state,
      `Workflow ${run.id} waits for room under its limit, so ${ref} cannot be skipped yet`,
    );
  }
  const node = findNode(compile(run.definition).byRef, ref);
  if (node === undefined) {
    const name = run.definition.name;
    throw refusal(state, `The task referenced by ${ref} does not exist in the WorkflowDefinition ${name}`);
  }
  if (state.latest.has(ref) || state.named.has(ref)) {
    throw refusal(state, `The task referenced ${ref} has already been processed, cannot be skipped`);
  }
  const draft = new Draft(state, context);
  addStep(
    draft,
    { node, suffix: '', iteration: 0, parentStepId: undefined },
    {
      id: context.newId(),
      type: node.definition.name,
      name: node.definition.name,
      status: 'SKIPPED',
      input: given.input ?? {},
      output: given.output ?? {},
      // The flow goes past it when it comes there.
      executed: true,
    },
  );
  return conclude(draft);
}

/** Steps that come back later, by their worker's word or after a failed attempt, may be taken at once. @throws RUN_STATE */
export function resetCallbacks(state: RunState, context: DecideContext): Decision {
  const { status } = state.run;
  if (hasEnded(status)) throw refusal(state, `Workflow is in terminal state. Status = ${status}`);
  const draft = new Draft(state, context);
  for (const step of draft.openSteps()) {
    if (!hasJob(step) || step.status !== 'SCHEDULED' || step.callbackAfterSeconds <= 0) continue;
    enqueue(draft, draft.change(step, { callbackAfterSeconds: 0 }), 0, true);
  }
  return conclude(draft);
}
