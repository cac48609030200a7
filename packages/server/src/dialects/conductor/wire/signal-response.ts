/** SignalResponse: what a synchronous start or signal answers, in the shape that the caller chose. */

import type { RunView, StepOfRun } from '@lineshaft/core';
import { property, quoted, taskText, updateTime } from './task.ts';

export const returnStrategies = [
  'TARGET_WORKFLOW',
  'BLOCKING_WORKFLOW',
  'BLOCKING_TASK',
  'BLOCKING_TASK_INPUT',
] as const;

export type ReturnStrategy = (typeof returnStrategies)[number];

/** How a run stands that somebody waited for. */
export interface Standing {
  /** The run that was started or signalled. */
  readonly target: RunView;
  /** What it waits for, here or in the runs of its steps; none if it has ended or the time was over. */
  readonly blocking: readonly StepOfRun[];
  /** The run of the first of these. */
  readonly blockingRun: RunView | undefined;
  readonly timedOut: boolean;
}

/** @returns undefined where a task was asked for and none blocks: the body is empty then */
export function signalResponseText(
  standing: Standing,
  strategy: ReturnStrategy,
  requestId: string,
): string | undefined {
  const head = headText(standing, strategy, requestId);
  if (strategy === 'TARGET_WORKFLOW') return `${head}${runText(standing.target)}}`;
  if (strategy === 'BLOCKING_WORKFLOW') return `${head}${runText(standing.blockingRun ?? standing.target)}}`;
  const [blocking] = standing.blocking;
  return blocking === undefined ? undefined : `${head}${stepText(blocking)}}`;
}

function headText({ target, timedOut }: Standing, strategy: ReturnStrategy, requestId: string): string {
  const { id, status } = target.run;
  return (
    `{"responseType":"${strategy}","targetWorkflowId":"${id}","targetWorkflowStatus":"${status}"` +
    `,"requestId":${quoted(requestId)},"signalTimeout":${timedOut}`
  );
}

function runText({ run, steps }: RunView): string {
  return (
    `,"workflowId":"${run.id}"${property('correlationId', run.correlationId)}` +
    `,"input":${JSON.stringify(run.input)},"output":${JSON.stringify(run.output)}` +
    `,"priority":${run.priority},"variables":${JSON.stringify(run.variables)}` +
    `,"tasks":[${steps.map((step) => taskText(step, run)).join(',')}]` +
    `${property('createdBy', run.createdBy)},"createTime":${run.createdAt}` +
    `,"status":"${run.status}","updateTime":${run.updatedAt}`
  );
}

function stepText({ step, run }: StepOfRun): string {
  return (
    `,"workflowId":"${run.id}"${property('correlationId', run.correlationId)}` +
    `,"input":${JSON.stringify(step.input)},"output":${JSON.stringify(step.output)}` +
    `,"taskType":${quoted(step.type)},"taskId":"${step.id}","referenceTaskName":${quoted(step.ref)}` +
    `,"retryCount":${step.retryCount},"taskDefName":${quoted(step.name)}` +
    `${property('retriedTaskId', step.retriedStepId)},"workflowType":${quoted(run.definition.name)}` +
    `${property('reasonForIncompletion', step.reason)},"priority":${run.priority}` +
    `${property('createdBy', step.workerId)},"createTime":${step.startedAt ?? 0}` +
    `,"updateTime":${updateTime(step)},"status":"${step.status}"`
  );
}
