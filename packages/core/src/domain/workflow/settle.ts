/**
 * What comes of a step that has ended: of a good end, what follows it; of a bad one, another attempt, or the end of the
 * run, unless the step is optional or permissive (Conductor's DeciderService.retry).
 */

import { totalDeadline } from './deadlines.ts';
import { type Draft, RunFailure } from './draft.ts';
import { endRun } from './end-run.ts';
import { follow } from './flow.ts';
import type { RunStatus, Step } from './run.ts';
import { suffixOf } from './state.ts';
import { isUnsuccessful } from './status.ts';
import type { Reached } from './steps/step-type.ts';
import { terminationOf } from './steps/terminate.ts';
import { retriesOf, retryDelaySeconds, taskSettings } from './task-settings.ts';

/** Steps that are never tried again by themselves. */
const onceOnly = new Set(['DECISION', 'SWITCH', 'FORK', 'JOIN', 'EXCLUSIVE_JOIN', 'DO_WHILE', 'TERMINATE']);

export function settle(draft: Draft, step: Step): void {
  if (!isUnsuccessful(step.status)) {
    settleGood(draft, step);
    return;
  }
  if (mayRetry(draft, step)) {
    const delay = retryDelaySeconds(taskSettings(step.definition), step.retryCount, draft.context.random());
    attemptAgain(draft, step, { delaySeconds: delay, reason: step.reason });
    return;
  }
  const { optional, permissive } = step.definition;
  if (optional === true) goOn(draft, draft.change(step, { executed: true, status: 'COMPLETED_WITH_ERRORS' }));
  else if (permissive === true) goOn(draft, draft.change(step, { executed: true }));
  else {
    const status = runStatusOf(step);
    throw new RunFailure(
      `Task ${step.id} failed with status: ${status} and reason: '${step.reason ?? null}'`,
      draft.change(step, { executed: true }),
    );
  }
}

/** What a run comes to by a step that ends like this. */
export function runStatusOf(step: Step | undefined): RunStatus {
  if (step?.status === 'CANCELED') return 'TERMINATED';
  return step?.status === 'TIMED_OUT' ? 'TIMED_OUT' : 'FAILED';
}

function settleGood(draft: Draft, step: Step): void {
  const done = draft.settled(step);
  const termination = step.type === 'TERMINATE' ? terminationOf(step) : undefined;
  if (termination !== undefined) endRun(draft, termination.status, termination.reason, done);
  else goOn(draft, done);
}

function goOn(draft: Draft, step: Step): void {
  follow(draft, step);
}

function mayRetry(draft: Draft, step: Step): boolean {
  if (step.status !== 'FAILED' && step.status !== 'TIMED_OUT') return false;
  if (onceOnly.has(step.type) || retriesOf(step.definition) <= step.retryCount) return false;
  const deadline = totalDeadline(step, taskSettings(step.definition));
  return deadline === undefined || draft.now < deadline;
}

/** Another attempt: a new step, whose input is resolved again. Unless it comes by itself, somebody wants it, at once. */
export function attemptAgain(
  draft: Draft,
  step: Step,
  attempt: Pick<Reached, 'reason' | 'delaySeconds' | 'isWanted'> = { delaySeconds: 0, isWanted: true },
): void {
  const retried = draft.change(step, { retried: true, executed: true });
  draft.reach([
    {
      node: draft.nodeOf(step),
      suffix: suffixOf(step),
      iteration: step.iteration,
      parentStepId: step.parentStepId,
      retryOf: retried,
      ...attempt,
    },
  ]);
}
