/** What the statuses of steps and runs mean (Conductor's table: terminal, successful, may be tried again). */

import type { Run, RunStatus, Step, StepStatus } from './run.ts';

const successful: ReadonlySet<StepStatus> = new Set<StepStatus>([
  'SCHEDULED',
  'IN_PROGRESS',
  'COMPLETED',
  'COMPLETED_WITH_ERRORS',
  'SKIPPED',
]);

/** It will not change any more by itself. */
export function isTerminal(status: StepStatus): boolean {
  return status !== 'SCHEDULED' && status !== 'IN_PROGRESS';
}

/** It has ended badly. */
export function isUnsuccessful(status: StepStatus): boolean {
  return !successful.has(status);
}

/** It has failed: it was not cancelled, nor was its time over. */
export function hasFailed(status: StepStatus): boolean {
  return status === 'FAILED' || status === 'FAILED_WITH_TERMINAL_ERROR';
}

/** The step has ended for good: no attempt follows, and what comes after it was decided. */
export function isDone(step: Step): boolean {
  if (step.status === 'SKIPPED') return true;
  return step.executed && !step.retried && isTerminal(step.status);
}

/** The run has ended. */
export function hasEnded(status: RunStatus): boolean {
  return status !== 'RUNNING' && status !== 'PAUSED';
}

/** New steps may begin: the run has neither ended nor is it paused, nor does it stand in line for its limit. */
export function goesOn({ status, limited }: Pick<Run, 'status' | 'limited'>): boolean {
  return status === 'RUNNING' && limited?.waits !== true;
}
