/** What searches find: WorkflowSummary and TaskSummary, with times as ISO texts and payloads as Java's texts. */

import type { Found, Run, StepOfRun } from '@lineshaft/core';
import { javaText } from './java-text.ts';
import { property, queueWaitTime, quoted } from './task.ts';

/** `{totalHits, results}` of whatever is written by `each`. */
export function foundText<Item>(found: Found<Item>, each: (item: Item) => string): string {
  return `{"totalHits":${found.totalHits},"results":[${found.results.map(each).join(',')}]}`;
}

/** WorkflowSummary. */
export function workflowSummaryText(run: Run): string {
  const input = javaText(run.input);
  const output = javaText(run.output);
  let text = `{"workflowType":${quoted(run.definition.name)},"version":${run.definition.version ?? 1}`;
  text += `,"workflowId":"${run.id}"${property('correlationId', run.correlationId)}`;
  text += `,"startTime":"${isoTime(run.createdAt)}","updateTime":"${isoTime(run.updatedAt)}"`;
  text += property('endTime', run.endedAt === undefined ? undefined : isoTime(run.endedAt));
  text += `,"status":"${run.status}","input":${quoted(input)},"output":${quoted(output)}`;
  text += property('reasonForIncompletion', run.reason);
  text += `,"executionTime":${run.endedAt === undefined ? 0 : run.endedAt - run.createdAt}`;
  text += `${property('event', run.event)},"failedReferenceTaskNames":${quoted(run.failedRefs.join(','))}`;
  text += `,"priority":${run.priority},"failedTaskNames":${JSON.stringify(run.failedNames)}`;
  text += `${property('createdBy', run.createdBy)},"taskToDomain":${JSON.stringify(run.taskToDomain)}`;
  text += property('idempotencyKey', run.idempotencyKey);
  text += `,"parentWorkflowId":${quoted(run.parent?.runId ?? '')},"classifier":"workflow"`;
  return `${text},"inputSize":${input.length},"outputSize":${output.length}}`;
}

/** TaskSummary. */
export function taskSummaryText({ step, run }: StepOfRun): string {
  const executionTime =
    step.endedAt === undefined || step.startedAt === undefined ? 0 : step.endedAt - step.startedAt;
  let text = `{"workflowId":"${run.id}","workflowType":${quoted(run.definition.name)}`;
  text += `${property('correlationId', run.correlationId)},"scheduledTime":"${isoTime(step.scheduledAt)}"`;
  text += `,"startTime":"${isoTime(step.startedAt ?? 0)}","updateTime":"${isoTime(step.updatedAt)}"`;
  text += `,"endTime":"${isoTime(step.endedAt ?? 0)}","status":"${step.status}"`;
  text += `${property('reasonForIncompletion', step.reason)},"executionTime":${executionTime}`;
  text += `,"queueWaitTime":${queueWaitTime(step)},"taskDefName":${quoted(step.name)}`;
  text += `,"taskType":${quoted(step.type)},"input":${quoted(javaText(step.input))}`;
  text += `,"output":${quoted(javaText(step.output))},"taskId":"${step.id}"`;
  text += `,"referenceTaskName":${quoted(step.ref)},"retryCount":${step.retryCount}`;
  return `${text},"workflowPriority":${run.priority}${property('domain', step.domain)}}`;
}

/** `yyyy-MM-dd'T'HH:mm:ss.SSS'Z'` in GMT. */
function isoTime(at: number): string {
  return new Date(at).toISOString();
}
