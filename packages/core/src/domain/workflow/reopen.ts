/**
 * A run that had ended goes on, since a run that one of its steps had started does: that step is in progress again, and
 * what waited around it waits again. What the end had cancelled is tried again.
 */

import { countedFrom } from './deadlines.ts';
import type { Draft } from './draft.ts';
import { inLine } from './rate-limit.ts';
import type { Step } from './run.ts';
import { attemptAgain } from './settle.ts';
import { goesOn, hasEnded, isTerminal, isUnsuccessful } from './status.ts';
import { isWaiter, waitAgainAll } from './wait-again.ts';

export function reopen(draft: Draft, step: Step): void {
  const ended = hasEnded(draft.run.status);
  // Its run went on without it: too late.
  if (step.executed && !ended && !isUnsuccessful(step.status)) return;
  if (isTerminal(step.status)) {
    draft.change(step, {
      status: 'IN_PROGRESS',
      executed: false,
      endedAt: undefined,
      reason: undefined,
      ...countedFrom(draft.now),
    });
  }
  if (!ended) return;
  draft.setRun({
    status: 'RUNNING',
    endedAt: undefined,
    reason: undefined,
    output: {},
    lastRetriedAt: draft.now,
    failedRefs: draft.run.failedRefs.filter((ref) => ref !== step.ref),
    failedNames: draft.run.failedNames.filter((name) => name !== step.name),
    limited: inLine(draft.run, { type: 'reopen' }),
  });
  if (goesOn(draft.run)) reopenOthers(draft);
}

/** What the end of the run had cancelled is tried again, and what waited waits again. */
export function reopenOthers(draft: Draft): void {
  const ended = draft.allSteps().filter((step) => isUnsuccessful(step.status) && !step.retried);
  for (const step of ended) {
    // The end of the run had cancelled it.
    if (!isWaiter(step) && step.status === 'CANCELED' && !step.executed) attemptAgain(draft, step);
  }
  waitAgainAll(draft, ended.filter(isWaiter));
}
