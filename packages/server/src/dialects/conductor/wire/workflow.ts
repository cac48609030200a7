/** A run as Conductor's Workflow. */

import type { Run, RunView, Step, WrittenRun, WrittenStep } from '@lineshaft/core';
import { workflowDefText } from './definition.ts';
import { isSkipped, property, quoted, taskText } from './task.ts';

/** @param tasks whether its tasks are shown; without, the list is there and empty */
export function workflowText(view: RunView | WrittenRun, tasks = true): string {
  return workflowParts(view, tasks).join('');
}

/** The same in parts, most of which are a task: a text of thousands of them is not made. */
export function workflowParts({ run, steps }: RunView | WrittenRun, tasks = true): string[] {
  const parts = [`${headText(run)},"tasks":[`];
  const shown = tasks ? inOrder(steps) : [];
  for (const [index, step] of shown.entries()) parts.push(`${index > 0 ? ',' : ''}${taskText(step, run)}`);
  parts.push(`]${tailText(run)}`);
  return parts;
}

function headText(run: Run): string {
  const text = `{"ownerApp":"","createTime":${run.createdAt},"updateTime":${run.updatedAt}${property('createdBy', run.createdBy)}`;
  return `${text},"status":"${run.status}","endTime":${run.endedAt ?? 0},"workflowId":"${run.id}"${parentOf(run)}`;
}

function tailText(run: Run): string {
  let text = `,"input":${JSON.stringify(run.input)},"output":${JSON.stringify(run.output)}`;
  text += property('externalInputPayloadStoragePath', run.externalInputPath);
  text += property('externalOutputPayloadStoragePath', run.externalOutputPath);
  text += `${property('correlationId', run.correlationId)}${property('reRunFromWorkflowId', run.reRunFrom)}`;
  text += `${property('reasonForIncompletion', run.reason)}${property('event', run.event)}`;
  text += `,"taskToDomain":${JSON.stringify(run.taskToDomain)}`;
  text += `,"failedReferenceTaskNames":${JSON.stringify(run.failedRefs)}`;
  text += `,"failedTaskNames":${JSON.stringify(run.failedNames)}`;
  text += `,"workflowDefinition":${workflowDefText(run.definition)},"priority":${run.priority}`;
  text += `,"variables":${JSON.stringify(run.variables)},"lastRetriedTime":${run.lastRetriedAt ?? 0}`;
  text += `,"history":[]${property('idempotencyKey', run.idempotencyKey)}${property('rateLimitKey', run.limited?.key)}`;
  text += `,"rateLimited":${run.limited?.waits === true && !isTerminal(run)}`;
  text += `,"startTime":${run.createdAt},"workflowName":${quoted(run.definition.name)}`;
  return `${text},"workflowVersion":${run.definition.version ?? 1}}`;
}

/** What `GET /workflow/{id}/status` shows. */
export function workflowStatusText(run: Run, shown: { output: boolean; variables: boolean }): string {
  const output = shown.output ? `,"output":${JSON.stringify(run.output)}` : '';
  const variables = shown.variables ? `,"variables":${JSON.stringify(run.variables)}` : '';
  const ids = `{"workflowId":"${run.id}"${property('correlationId', run.correlationId)}`;
  return `${ids}${output}${variables},"status":"${run.status}"}`;
}

export function isTerminal(run: Run): boolean {
  return run.status !== 'RUNNING' && run.status !== 'PAUSED';
}

/** Those that were skipped come first, as Conductor has them. */
function inOrder(steps: readonly (Step | WrittenStep)[]): readonly (Step | WrittenStep)[] {
  if (!steps.some(isSkipped)) return steps;
  return [...steps.filter(isSkipped), ...steps.filter((step) => !isSkipped(step))];
}

function parentOf({ parent }: Run): string {
  if (parent === undefined) return '';
  return `,"parentWorkflowId":"${parent.runId}","parentWorkflowTaskId":"${parent.stepId}"`;
}
