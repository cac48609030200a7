/** Joins and loops that had ended with their run wait again when the run goes on. */

import { countedFrom } from './deadlines.ts';
import type { Draft } from './draft.ts';
import type { Step } from './run.ts';
import { isJoin } from './state.ts';
import { typeOfStep } from './steps/registry.ts';

/** Whether it does nothing itself but wait for others. */
export function isWaiter(step: Step): boolean {
  return isJoin(step) || step.type === 'DO_WHILE';
}

/**
 * All of them wait again, then each is looked at: one whose steps have all ended is told by nobody.
 *
 * @param steps joins and loops, in their order; what they wait for has been tried again already
 */
export function waitAgainAll(draft: Draft, steps: readonly Step[]): void {
  const waiting = steps.map((step) => waitAgain(draft, step));
  for (const step of waiting) typeOfStep(step).look?.(draft, step);
}

/** A join or a loop is in progress again; of a loop, in the iteration in which it was. */
export function waitAgain(draft: Draft, step: Step, iteration = step.iteration): Step {
  const output = step.type === 'DO_WHILE' ? { iteration } : {};
  return draft.change(step, {
    status: 'IN_PROGRESS',
    executed: false,
    endedAt: undefined,
    reason: undefined,
    dueAt: undefined,
    ...countedFrom(draft.now),
    ...(step.type === 'DO_WHILE' ? { iteration } : {}),
    output,
  });
}
