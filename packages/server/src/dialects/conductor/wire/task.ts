/** A step as Conductor's Task: what workers get from a poll, and what `GET /tasks/{id}` shows. */

import type { PolledStep, Step, TaskDefinition, WrittenStep } from '@lineshaft/core';
import { inputWithDefinitions, taskDefText, workflowTaskText } from './definition.ts';

/** What a task says of the run that it belongs to. */
export type RunOfTask = PolledStep['run'];

type KeptStep = Omit<Step, 'input' | 'output'>;

/** Written by hand: this is what a poll spends its time with, and payloads are turned into text once, or not at all. */
export function taskText(step: Step | WrittenStep, run: RunOfTask): string {
  const output = 'outputText' in step ? step.outputText : JSON.stringify(step.output);
  const task = taskOf(step);
  const startTime = step.startedAt ?? 0;
  let text = `{"taskType":${quoted(step.type)},"status":"${step.status}","inputData":${inputText(step)}`;
  text += `,"referenceTaskName":${quoted(step.ref)},"retryCount":${step.retryCount},"seq":${isSkipped(step) ? 0 : step.seq}`;
  text += `${property('correlationId', run.correlationId)},"pollCount":${step.pollCount}`;
  text += `,"taskDefName":${quoted(step.name)},"scheduledTime":${step.scheduledAt},"startTime":${startTime}`;
  text += `,"endTime":${step.endedAt ?? 0},"updateTime":${updateTime(step)}`;
  text += `,"startDelayInSeconds":${step.startDelaySeconds}${property('retriedTaskId', step.retriedStepId)}`;
  text += `,"retried":${step.retried},"executed":${step.executed},"callbackFromWorker":true`;
  text += `,"responseTimeoutSeconds":${responseTimeoutSeconds(step)},"workflowInstanceId":"${run.id}"`;
  text += `,"workflowType":${quoted(run.definition.name)},"taskId":"${step.id}"`;
  text += `${property('reasonForIncompletion', step.reason)},"callbackAfterSeconds":${step.callbackAfterSeconds}`;
  text += `${property('workerId', step.workerId)},"outputData":${output}`;
  text += `,"workflowTask":${workflowTask(step)}${property('domain', step.domain)}`;
  text += `,"rateLimitPerFrequency":${task?.rateLimitPerFrequency ?? 0}`;
  text += `,"rateLimitFrequencyInSeconds":${task?.rateLimitFrequencyInSeconds ?? rateLimitSeconds(step)}`;
  text += `,"workflowPriority":${run.priority}${property('executionNameSpace', task?.executionNameSpace)}`;
  text += `${property('isolationGroupId', task?.isolationGroupId)},"iteration":${step.iteration}`;
  text += property('externalInputPayloadStoragePath', step.externalInputPath);
  text += property('externalOutputPayloadStoragePath', step.externalOutputPath);
  text += `${property('subWorkflowId', step.subRunId)},"subworkflowChanged":false`;
  text +=
    ',"firstStartTime":0,"executionMetadata":{"additionalContext":{},"additionalContextMap":{},"empty":true}';
  text += `,"queueWaitTime":${queueWaitTime(step)},"loopOverTask":${step.iteration > 0}`;
  return `${text}${definitionOf(task)}}`;
}

/** Milliseconds between being scheduled and being started; 0 before. */
export function queueWaitTime(step: KeptStep): number {
  return step.startedAt === undefined ? 0 : Math.max(0, step.startedAt - step.scheduledAt);
}

/** 0 until somebody has taken it or said something of it. */
export function updateTime({ type, status, startedAt, scheduledAt, updatedAt }: KeptStep): number {
  if (status === 'SKIPPED' || (status === 'SCHEDULED' && startedAt === undefined)) return 0;
  return type === 'WAIT' && status === 'IN_PROGRESS' && updatedAt === scheduledAt ? 0 : updatedAt;
}

/** It was skipped before the flow came to it: as Conductor shows it, without number and without settings of its task. */
export function isSkipped(step: KeptStep): boolean {
  return step.status === 'SKIPPED';
}

function taskOf(step: KeptStep): TaskDefinition | undefined {
  return isSkipped(step) ? undefined : step.definition.taskDefinition;
}

function workflowTask(step: KeptStep): string {
  if (!isSkipped(step)) return workflowTaskText(step.definition);
  const { taskDefinition: _, ...definition } = step.definition;
  return workflowTaskText(definition);
}

function inputText(step: Step | WrittenStep): string {
  const text = 'inputText' in step ? step.inputText : JSON.stringify(step.input);
  if (step.type !== 'FORK' && step.type !== 'SUB_WORKFLOW') return text;
  return JSON.stringify(inputWithDefinitions(JSON.parse(text) as Step['input']));
}

/** Where its task says nothing. */
function rateLimitSeconds(step: KeptStep): number {
  if (isSkipped(step)) return 0;
  return isWorkerStep(step) || step.type === 'HTTP' || step.type === 'DO_WHILE' ? 1 : 0;
}

/** Of worker steps the type is the name that workers poll for; of others it is `JOIN`, `HTTP` and so on. */
function isWorkerStep(step: KeptStep): boolean {
  const type = step.definition.type;
  return type === undefined || type === 'SIMPLE' || type === 'CUSTOM' || type === 'DYNAMIC';
}

function responseTimeoutSeconds(step: KeptStep): number {
  if (isSkipped(step)) return 0;
  if (!isWorkerStep(step)) return step.definition.taskDefinition?.responseTimeoutSeconds ?? 0;
  return step.definition.taskDefinition?.responseTimeoutSeconds ?? 3600;
}

function definitionOf(task: TaskDefinition | undefined): string {
  return task === undefined || task === null ? '' : `,"taskDefinition":${taskDefText(task)}`;
}

/** `,"name":"value"`, and nothing where there is no value: null properties are left out. */
export function property(name: string, value: string | null | undefined): string {
  return value === undefined || value === null ? '' : `,"${name}":${JSON.stringify(value)}`;
}

export function quoted(text: string): string {
  return JSON.stringify(text);
}
