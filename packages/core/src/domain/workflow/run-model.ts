/**
 * A run as Conductor's own model of it, which it gives to failure workflows and to bulk searches: it says more than its API
 * otherwise shows, and names some of it otherwise. Pure.
 */

import type { JsonObject } from './definition.ts';
import {
  stepDefinitionDocument,
  taskDefinitionDocument,
  workflowDefinitionDocument,
} from './definition-document.ts';
import type { Run, RunStatus, Step } from './run.ts';
import { isWorkerType, taskSettings } from './task-settings.ts';

/** What is not known from the run alone. */
interface Known {
  /** Before the one that it has. */
  readonly previousStatus?: RunStatus;
  /** The step that brought about the end. */
  readonly failedTaskId?: string | undefined;
}

/** WorkflowModel. Which steps have failed is said where some have. */
export function runModel(run: Run, steps: readonly JsonObject[], known: Known = {}): JsonObject {
  const { failedRefs, failedNames } = run;
  return withoutAbsent({
    ownerApp: '',
    createTime: run.createdAt,
    updatedTime: run.updatedAt,
    createdBy: run.createdBy,
    status: run.status,
    endTime: run.endedAt ?? 0,
    workflowId: run.id,
    parentWorkflowId: run.parent?.runId,
    parentWorkflowTaskId: run.parent?.stepId,
    tasks: steps,
    input: run.input,
    output: run.output,
    correlationId: run.correlationId,
    reRunFromWorkflowId: run.reRunFrom,
    reasonForIncompletion: run.reason,
    event: run.event,
    taskToDomain: run.taskToDomain,
    failedReferenceTaskNames: failedRefs.length === 0 ? undefined : failedRefs,
    failedTaskNames: failedNames.length === 0 ? undefined : failedNames,
    workflowDefinition: workflowDefinitionDocument(run.definition),
    workflowName: run.definition.name,
    workflowVersion: run.definition.version ?? 1,
    priority: run.priority,
    variables: run.variables,
    lastRetriedTime: run.lastRetriedAt ?? 0,
    ...known,
  });
}

/** TaskModel. */
export function stepModel(run: Run, step: Step): JsonObject {
  const task = step.definition.taskDefinition;
  const settings = taskSettings(step.definition);
  return withoutAbsent({
    taskType: step.type,
    status: step.status,
    inputData: step.input,
    referenceTaskName: step.ref,
    retryCount: step.retryCount,
    seq: step.seq,
    correlationId: run.correlationId,
    pollCount: step.pollCount,
    taskDefName: step.name,
    scheduledTime: step.scheduledAt,
    firstScheduledTime: step.firstScheduledAt,
    startTime: step.startedAt ?? 0,
    endTime: step.endedAt ?? 0,
    updateTime: step.updatedAt,
    startDelayInSeconds: step.startDelaySeconds,
    retriedTaskId: step.retriedStepId,
    retried: step.retried,
    executed: step.executed,
    responseTimeoutSeconds: settings.responseTimeoutSeconds ?? 3_600,
    workflowInstanceId: run.id,
    workflowType: run.definition.name,
    taskId: step.id,
    reasonForIncompletion: step.reason,
    callbackAfterSeconds: step.callbackAfterSeconds,
    callbackAfterMs: 0,
    workerId: step.workerId,
    outputData: step.output,
    workflowTask: stepDefinitionDocument(step.definition),
    taskDefinition: task === undefined ? undefined : taskDefinitionDocument(task),
    domain: step.domain,
    rateLimitPerFrequency: task?.rateLimitPerFrequency ?? 0,
    rateLimitFrequencyInSeconds:
      task?.rateLimitFrequencyInSeconds ?? (isWorkerType(step.definition.type) ? 1 : 0),
    workflowPriority: run.priority,
    iteration: step.iteration,
    loopOverTask: step.iteration > 0,
    subWorkflowId: step.subRunId,
    queueWaitTime: step.startedAt === undefined ? 0 : Math.max(0, step.startedAt - step.scheduledAt),
    asyncComplete: step.definition.asyncComplete ?? false,
    onStateChange: step.definition.onStateChange ?? {},
    ...never,
  });
}

/** What the model has and steps here have not. */
const never = {
  callbackFromWorker: true,
  subworkflowChanged: false,
  cachedOutput: false,
  idempotent: false,
  idempotentExecution: false,
  nonWorkflowEventTask: false,
  notifications: {},
  waitTimeout: 0,
} as const;

function withoutAbsent(document: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(document).filter(([, value]) => value !== undefined));
}
