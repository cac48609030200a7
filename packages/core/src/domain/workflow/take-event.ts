/** What has happened to a run is taken into a decision. News of steps that have moved on change nothing. */

import type { RunEvent } from './decision.ts';
import type { JsonObject } from './definition.ts';
import type { Draft } from './draft.ts';
import { endRun } from './end-run.ts';
import { within } from './flow.ts';
import { endStep, outputTrouble } from './make-step.ts';
import { noRoom } from './rate-limit.ts';
import { reopen } from './reopen.ts';
import type { RunStatus, Step, StepStatus } from './run.ts';
import { isObject } from './scope.ts';
import { hasEnded, isTerminal } from './status.ts';
import { typeOfStep } from './steps/registry.ts';
import { isAsking } from './steps/script.ts';
import { enqueue, hasJob, isDoneHere } from './steps/worker.ts';
import { lapse } from './timeouts.ts';

type Of<Type extends RunEvent['type']> = Extract<RunEvent, { type: Type }>;

export function takeEvent(draft: Draft, event: RunEvent): void {
  // Who is admitted goes on by `admission.ts`.
  if (event.type === 'started' || event.type === 'time' || event.type === 'admitted') return;
  if (event.type === 'rejected') {
    if (!hasEnded(draft.run.status) && draft.run.limited?.waits === true)
      endRun(draft, 'FAILED', noRoom(draft.run), undefined, { failureWorkflow: false });
    return;
  }
  if (event.type === 'terminate') {
    if (!hasEnded(draft.run.status))
      endRun(draft, 'TERMINATED', event.reason, undefined, { failureWorkflow: false });
    return;
  }
  const step = draft.byId(event.stepId);
  if (step === undefined) return;
  if (event.type === 'run-reopened') {
    if (step.subRunId === event.runId) reopen(draft, step);
    return;
  }
  if (isTerminal(step.status) || hasEnded(draft.run.status)) return;
  if (event.type === 'reported') takeReport(draft, step, event);
  else if (event.type === 'polled') takePoll(draft, step, event);
  else if (event.type === 'lapsed') lapse(draft, step, event);
  else if (event.type === 'run-started') takeStarted(draft, step, event.runId);
  else if (event.type === 'run-ended') takeRunEnd(draft, step, event);
  else if (event.type === 'run-refused')
    endStep(draft, step, 'FAILED', { reason: event.reason, subRunId: undefined });
  else if (isAsking(step))
    within(draft, step, () => typeOfStep(step).evaluated?.(draft, step, event.result, event.round));
}

function takeReport(draft: Draft, step: Step, event: Of<'reported'>): void {
  const at = event.at ?? draft.now;
  const output: JsonObject = event.merge === true ? { ...step.output, ...event.output } : event.output;
  const fields: Partial<Step> = {
    output,
    reason: event.reason,
    workerId: event.workerId ?? step.workerId,
    startedAt: step.startedAt ?? event.startedAt ?? at,
    pollCount: Math.max(step.pollCount, event.pollCount ?? 0),
  };
  if (event.withdraw === true && hasJob(step)) draft.withdraw(step);
  if (isTerminal(event.status)) {
    endStep(draft, step, event.status, { ...fields, endedAt: at, callbackAfterSeconds: 0 });
    if (step.subRunId !== undefined && step.type === 'SUB_WORKFLOW')
      draft.terminates.push({ runId: step.subRunId, reason: `Its step ${step.ref} was ended from outside` });
  } else takeProgress(draft, step, event, fields);
}

/** A worker comes back after a while: its step waits again. What no worker does just stays as it is. */
function takeProgress(draft: Draft, step: Step, event: Of<'reported'>, fields: Partial<Step>): void {
  if (outputTrouble(draft, step, fields.output ?? {}) !== undefined) {
    if (hasJob(step)) draft.withdraw(step);
    endStep(draft, step, 'FAILED_WITH_TERMINAL_ERROR', fields);
    return;
  }
  const waits = hasJob(step) && !isDoneHere(step.type);
  const seconds = event.callbackAfterSeconds ?? 0;
  const changed = draft.change(step, {
    ...fields,
    status: waits ? 'SCHEDULED' : 'IN_PROGRESS',
    callbackAfterSeconds: seconds,
  });
  if (waits) enqueue(draft, changed, seconds, true);
}

function takePoll(draft: Draft, step: Step, event: Of<'polled'>): void {
  draft.change(step, {
    status: 'IN_PROGRESS',
    startedAt: step.startedAt ?? event.at,
    workerId: event.workerId,
    pollCount: step.pollCount + 1,
    callbackAfterSeconds: 0,
  });
}

function takeStarted(draft: Draft, step: Step, runId: string): void {
  if (step.type === 'START_WORKFLOW') endStep(draft, step, 'COMPLETED', { output: { workflowId: runId } });
  else if (step.subRunId !== runId)
    draft.change(step, {
      status: 'IN_PROGRESS',
      startedAt: step.startedAt ?? draft.now,
      dueAt: undefined,
      subRunId: runId,
      output: { ...step.output, subWorkflowId: runId },
    });
}

const endings: Partial<Record<RunStatus, StepStatus>> = {
  COMPLETED: 'COMPLETED',
  FAILED: 'FAILED',
  TERMINATED: 'CANCELED',
  TIMED_OUT: 'TIMED_OUT',
};

function takeRunEnd(draft: Draft, step: Step, event: Of<'run-ended'>): void {
  const status = endings[event.status];
  if (status === undefined || step.subRunId !== event.runId) return;
  const { subWorkflowName: name, subWorkflowDefinition: inline } = step.input;
  const version = isObject(inline) ? inline['version'] : step.input['subWorkflowVersion'];
  const reason =
    status === 'COMPLETED'
      ? undefined
      : `Sub workflow ${String(name)}.${version ?? 1}/${event.runId} failure reason: ${event.reason ?? null}`;
  endStep(draft, step, status, { output: { subWorkflowId: event.runId, ...event.output }, reason });
}
