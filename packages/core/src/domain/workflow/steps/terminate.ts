/** TERMINATE: ends the run with a status of its own. */

import type { JsonObject } from '../definition.ts';
import type { Draft } from '../draft.ts';
import { addStep, endStep, inputOf } from '../make-step.ts';
import type { RunStatus, Step } from '../run.ts';
import { isObject } from '../scope.ts';
import type { StepType } from './step-type.ts';

export const terminate: StepType = {
  begin(draft: Draft, reached) {
    const id = draft.context.newId();
    const { definition } = reached.node;
    const input = inputOf(draft, reached, id);
    const type = 'TERMINATE';
    const step = addStep(draft, reached, { id, type, name: definition.name, status: 'IN_PROGRESS', input });
    if (terminationOf(step) === undefined)
      endStep(draft, step, 'FAILED', { reason: 'given termination status is not valid' });
    else endStep(draft, step, 'COMPLETED', { output: outputOf(input) });
  },
};

/** How a TERMINATE that is done ends its run; undefined: it says nothing that could be understood. */
export function terminationOf(step: Step): { status: RunStatus; reason: string } | undefined {
  const status = step.input['terminationStatus'];
  if (status !== 'COMPLETED' && status !== 'FAILED' && status !== 'TERMINATED') return undefined;
  const reason = step.input['terminationReason'];
  const said = typeof reason === 'string' && reason.trim() !== '';
  return { status, reason: said ? reason : `Workflow is ${status} by TERMINATE task: ${step.id}` };
}

function outputOf(input: JsonObject): JsonObject {
  const output = input['workflowOutput'];
  if (output === undefined || output === null) return {};
  return isObject(output) ? output : { output };
}
