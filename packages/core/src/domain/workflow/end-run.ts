/** The end of a run: what is still open is cancelled, its output is made, and who must know is told. */

import { isLineshaftError } from '../errors.ts';
import type { JsonObject } from './definition.ts';
import { oversize } from './document-size.ts';
import type { Draft } from './draft.ts';
import { failedRunDocument } from './failed-run.ts';
import { outputOf } from './gathered-output.ts';
import { endStep } from './make-step.ts';
import type { RunStatus, StartRequest, Step } from './run.ts';
import { isObject, resolveIn } from './scope.ts';
import { isUnsuccessful } from './status.ts';
import { hasJob } from './steps/worker.ts';

export interface EndOptions {
  /** Also start the failure workflow. Default: when the run ended badly. */
  readonly failureWorkflow?: boolean;
}

/** Ends a run. `by`: the step that brought it about. */
export function endRun(
  draft: Draft,
  status: RunStatus,
  reason: string | undefined,
  by: Step | undefined,
  options: EndOptions = {},
): void {
  draft.setRun({ status, reason, endedAt: draft.now });
  cancelOpen(draft);
  let output = runOutput(draft, by);
  const trouble = oversize(output, draft.context.limits.documents.runOutput, { run: draft.run.id });
  if (trouble !== undefined) {
    output = {};
    // Nothing is kept of it; a run that ended well has failed by it.
    if (status === 'COMPLETED') draft.setRun({ status: 'FAILED', reason: trouble });
  }
  const failed = draft.failedSteps();
  draft.setRun({
    output,
    failedRefs: [...new Set([...draft.run.failedRefs, ...failed.map((step) => step.ref)])],
    failedNames: [...new Set([...draft.run.failedNames, ...failed.map((step) => step.name)])],
  });
  if (options.failureWorkflow ?? draft.run.status !== 'COMPLETED') startFailureWorkflow(draft, by);
}

/** All that is left is done: the run has come to its end. */
export function completeRun(draft: Draft): void {
  const failed = [...new Set([...draft.state.unsuccessful, ...draft.changedSteps().map((step) => step.seq)])]
    .flatMap((seq) => draft.step(seq) ?? [])
    .filter((step) => isUnsuccessful(step.status) && !step.retried && step.definition.optional !== true)
    .sort((a, b) => a.seq - b.seq);
  const [first] = failed;
  if (first === undefined) {
    endRun(draft, 'COMPLETED', undefined, undefined);
    return;
  }
  const status =
    first.status === 'TIMED_OUT' ? 'TIMED_OUT' : first.status === 'CANCELED' ? 'TERMINATED' : 'FAILED';
  const reason = `Task ${first.id} failed with status: ${status} and reason: '${first.reason ?? null}'`;
  endRun(draft, status, reason, first);
}

function cancelOpen(draft: Draft): void {
  const { status, reason } = draft.run;
  const why = reason === undefined || reason === '' ? `status ${status}` : `reason: ${reason}`;
  for (const step of draft.openSteps()) {
    endStep(draft, step, 'CANCELED');
    if (hasJob(step)) withdraw(draft, step);
    if (step.subRunId !== undefined && step.type === 'SUB_WORKFLOW')
      endChild(draft, step.subRunId, `Parent workflow has been terminated with ${why}`);
  }
  // What was asked for and not yet written is not wanted any more.
  draft.evaluations.length = 0;
  draft.clearReached();
}

/** One that was to be started by this very decision is not started. */
function endChild(draft: Draft, runId: string, reason: string): void {
  const at = draft.starts.findIndex((start) => start.runId === runId);
  if (at >= 0) draft.starts.splice(at, 1);
  else draft.terminates.push({ runId, reason });
}

function withdraw(draft: Draft, step: Step): void {
  if (!draft.jobs.delete(step.id) || draft.state.byId.has(step.id)) draft.withdraw(step);
}

/** That of a TERMINATE; else the output parameters; else the output of the last step, whichever ended the run. */
function runOutput(draft: Draft, by: Step | undefined): JsonObject {
  if (by?.type === 'TERMINATE') return by.output;
  const last = lastStep(draft);
  if (last === undefined) return {};
  const { outputParameters } = draft.run.definition;
  if (outputParameters !== undefined && Object.keys(outputParameters).length > 0) {
    return resolvedOutput(draft, outputParameters);
  }
  return outputOf(draft, last);
}

/** The run has ended, whatever its output: what can't be made is said in it. */
function resolvedOutput(draft: Draft, outputParameters: JsonObject): JsonObject {
  try {
    const resolved = resolveIn(draft, outputParameters);
    return isObject(resolved) ? resolved : {};
  } catch (error) {
    if (!isLineshaftError(error)) throw error;
    return { error: error.message };
  }
}

/** One that was skipped before the flow came to it is the last only where there is no other. */
function lastStep(draft: Draft): Step | undefined {
  let skipped: Step | undefined;
  for (let seq = draft.run.nextSeq - 1; seq > 0; seq -= 1) {
    const step = draft.step(seq);
    if (step !== undefined && step.status !== 'SKIPPED') return step;
    skipped ??= step;
  }
  return skipped;
}

function startFailureWorkflow(draft: Draft, by: Step | undefined): void {
  const { run } = draft;
  const name = failureWorkflowName(run.definition.failureWorkflow, run.input);
  if (name === undefined) return;
  const runId = draft.context.newId();
  const { failureWorkflowVersion } = run.definition;
  const request: StartRequest = {
    name,
    ...(failureWorkflowVersion === undefined ? {} : { version: failureWorkflowVersion }),
    input: {
      ...run.input,
      workflowId: run.id,
      reason: run.reason ?? null,
      failureStatus: run.status,
      ...(by === undefined ? {} : { failureTaskId: by.id }),
      failedWorkflow: failedRunDocument(draft, by),
    },
    ...(run.correlationId === undefined ? {} : { correlationId: run.correlationId }),
    taskToDomain: run.taskToDomain,
    ...(run.createdBy === undefined ? {} : { createdBy: run.createdBy }),
  };
  draft.starts.push({ runId, stepId: undefined, attached: false, request });
  draft.setRun({ output: { ...run.output, 'conductor.failure_workflow': runId } });
}

/** `$.workflow.input.NAME`: it is told by the input. */
function failureWorkflowName(name: string | undefined, input: JsonObject): string | undefined {
  if (name === undefined || name.trim() === '') return undefined;
  if (!name.startsWith('$')) return name;
  const told = input[name.split('.')[3] ?? ''];
  return typeof told === 'string' && told !== '' ? told : undefined;
}
