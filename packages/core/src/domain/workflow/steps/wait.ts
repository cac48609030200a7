/** WAIT: until a time, or until somebody says so. HUMAN: until somebody says so. */

import type { Draft } from '../draft.ts';
import { addStep, endStep, inputOf } from '../make-step.ts';
import type { Step } from '../run.ts';
import { waitTime } from '../wait-time.ts';
import type { Reached, StepType } from './step-type.ts';

export const wait: StepType = {
  begin(draft, reached) {
    const step = addWaiting(draft, reached, 'WAIT');
    const time = waitTime(step.input, draft.now);
    if (time.type === 'refused') endStep(draft, step, 'FAILED_WITH_TERMINAL_ERROR', { reason: time.reason });
    else if (time.type === 'at' && time.dueAt <= draft.now) endStep(draft, step, 'COMPLETED');
    else if (time.type === 'at') draft.change(step, { dueAt: time.dueAt });
  },
  due: (draft, step) => {
    endStep(draft, step, 'COMPLETED');
  },
};

export const human: StepType = {
  begin: (draft, reached) => {
    addWaiting(draft, reached, 'HUMAN');
  },
};

function addWaiting(draft: Draft, reached: Reached, type: 'WAIT' | 'HUMAN'): Step {
  const id = draft.context.newId();
  const input = inputOf(draft, reached, id);
  return addStep(draft, reached, {
    id,
    type,
    name: reached.node.definition.name,
    status: 'IN_PROGRESS',
    input,
  });
}
