/** The five time-outs, and what they come to: of the run, of all attempts, of the attempt, of polling, of response. */

import { attemptDeadline, pollDeadline, totalDeadline } from './deadlines.ts';
import type { TaskDefinition } from './definition.ts';
import { type Draft, RunFailure } from './draft.ts';
import { endStep } from './make-step.ts';
import type { Run, Step } from './run.ts';
import { hasEnded } from './status.ts';
import { hasJob } from './steps/worker.ts';
import { taskSettings } from './task-settings.ts';

/** When the run has taken too long; ALERT_ONLY (the default) changes nothing. */
export function runDeadline(run: Run): number | undefined {
  const { timeoutSeconds = 0, timeoutPolicy = 'ALERT_ONLY' } = run.definition;
  if (timeoutSeconds <= 0 || timeoutPolicy === 'ALERT_ONLY' || hasEnded(run.status)) return undefined;
  return (run.lastRetriedAt ?? run.createdAt) + timeoutSeconds * 1_000;
}

/** Why the run's own time is over; undefined: it is not. */
export function runTimeoutReason(draft: Draft): string | undefined {
  const { run, now } = draft;
  const deadline = runDeadline(run);
  if (deadline === undefined || now < deadline) return undefined;
  const { timeoutSeconds = 0, timeoutPolicy } = run.definition;
  const elapsed = Math.floor((now - (run.lastRetriedAt ?? run.createdAt)) / 1_000);
  return (
    `Workflow timed out after ${elapsed} seconds. Timeout configured as ${timeoutSeconds} seconds. ` +
    `Timeout policy configured to ${timeoutPolicy}`
  );
}

/** Ends a step whose time is over; says whether it was. */
export function timeOut(draft: Draft, step: Step): boolean {
  const task = step.definition.taskDefinition;
  if (task === undefined) return false;
  const { now } = draft;
  const total = totalDeadline(step, task);
  if (total !== undefined && now >= total) {
    byPolicy(draft, step, task, totalReason(now - step.firstScheduledAt, task));
    return true;
  }
  const attempt = attemptDeadline(step, task);
  if (attempt !== undefined && now >= attempt && step.startedAt !== undefined) {
    byPolicy(draft, step, task, attemptReason(now - step.startedAt - step.startDelaySeconds * 1_000, task));
    return true;
  }
  const poll = pollDeadline(step, task);
  if (poll !== undefined && now >= poll) {
    byPolicy(draft, step, task, pollReason(now - step.scheduledAt - step.startDelaySeconds * 1_000, task));
    return true;
  }
  return false;
}

/** Its worker was not heard of: either its attempt took too long, or the response did. */
export function lapse(
  draft: Draft,
  step: Step,
  { at, startedAt, workerId }: { at: number; startedAt: number; workerId?: string },
): void {
  const task = taskSettings(step.definition);
  const begun = { ...step, startedAt: step.startedAt ?? startedAt, workerId: workerId ?? step.workerId };
  const attempt = attemptDeadline(begun, task);
  draft.withdraw(step);
  // Somebody had it, whom the row of the step does not tell until he reports.
  const pollCount = step.status === 'IN_PROGRESS' ? step.pollCount : step.pollCount + 1;
  const fields = { startedAt: begun.startedAt, workerId: begun.workerId, pollCount };
  if (attempt !== undefined && at >= attempt) {
    byPolicy(
      draft,
      step,
      task,
      attemptReason(at - begun.startedAt - step.startDelaySeconds * 1_000, task),
      fields,
    );
    return;
  }
  const reason =
    `responseTimeout: ${task.responseTimeoutSeconds ?? 3_600} exceeded for the taskId: ${step.id} ` +
    `with Task Definition: ${step.name}`;
  endStep(draft, step, 'TIMED_OUT', { ...fields, reason });
}

function byPolicy(
  draft: Draft,
  step: Step,
  task: TaskDefinition,
  reason: string,
  fields: Partial<Step> = {},
): void {
  const ended = endStep(draft, step, 'TIMED_OUT', { ...fields, reason });
  if (hasJob(step)) draft.withdraw(step);
  if (step.subRunId !== undefined && step.type === 'SUB_WORKFLOW')
    draft.terminates.push({ runId: step.subRunId, reason });
  if ((task.timeoutPolicy ?? 'TIME_OUT_WF') === 'TIME_OUT_WF')
    throw new RunFailure(reason, draft.change(ended, { executed: true }));
}

function attemptReason(elapsedMs: number, task: TaskDefinition): string {
  return (
    `Task timed out after ${Math.floor(elapsedMs / 1_000)} seconds. Timeout configured as ` +
    `${task.timeoutSeconds ?? 0} seconds. Timeout policy configured to ${task.timeoutPolicy ?? 'TIME_OUT_WF'}`
  );
}

function pollReason(elapsedMs: number, task: TaskDefinition): string {
  return (
    `Task poll timed out after ${Math.floor(elapsedMs / 1_000)} seconds. Poll timeout configured as ` +
    `${task.pollTimeoutSeconds ?? 0} seconds. Timeout policy configured to ${task.timeoutPolicy ?? 'TIME_OUT_WF'}`
  );
}

function totalReason(elapsedMs: number, task: TaskDefinition): string {
  return (
    `Task total timed out after ${Math.floor(elapsedMs / 1_000)} seconds. Total timeout configured as ` +
    `${task.totalTimeoutSeconds ?? 0} seconds. Timeout policy configured to ${task.timeoutPolicy ?? 'TIME_OUT_WF'}`
  );
}
