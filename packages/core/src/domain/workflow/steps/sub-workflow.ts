/** SUB_WORKFLOW: a run of its own, whose end ends the step. START_WORKFLOW: one that goes its own way. */

import type { RunStart } from '../decision.ts';
import type { JsonObject, SubWorkflowParam, WorkflowDefinition } from '../definition.ts';
import type { Draft } from '../draft.ts';
import { addStep, delayOf, endStep, inputOf, textOf } from '../make-step.ts';
import type { StartRequest, Step } from '../run.ts';
import { isObject, resolveIn, resolveInput } from '../scope.ts';
import { taskSettings } from '../task-settings.ts';
import type { Reached, StepType } from './step-type.ts';

export const subWorkflow: StepType = {
  begin(draft, reached) {
    const id = draft.context.newId();
    // Expressions inside of a definition are those of its own runs.
    const { workflowDefinition: given, ...others } = reached.node.definition.subWorkflowParam ?? {};
    const parameters = resolveIn(draft, others, id) as SubWorkflowParam;
    const { name, version, taskToDomain, priority, idempotencyKey, idempotencyStrategy } = parameters;
    const workflowDefinition = isObject(given) ? given : resolveIn(draft, given, id);
    const inline = isObject(workflowDefinition) ? workflowDefinition : null;
    const delaySeconds = delayOf(reached);
    const step = addStep(draft, reached, {
      id,
      type: 'SUB_WORKFLOW',
      name: reached.node.definition.name,
      status: 'SCHEDULED',
      input: {
        subWorkflowName: inline === null ? (name ?? null) : (inline['name'] ?? name ?? null),
        subWorkflowVersion: inline === null ? (numberOf(version) ?? null) : null,
        subWorkflowTaskToDomain: taskToDomain ?? null,
        subWorkflowDefinition: inline,
        priority: numberOf(priority) ?? null,
        idempotencyKey: idempotencyKey ?? null,
        idempotencyStrategy: idempotencyStrategy ?? null,
        workflowInput: parametersOf(draft, reached, id),
        ...reached.input,
      },
      startDelaySeconds: Math.floor(delaySeconds),
      callbackAfterSeconds: Math.floor(delaySeconds),
      dueAt: delaySeconds > 0 ? draft.now + delaySeconds * 1_000 : undefined,
    });
    if (delaySeconds <= 0) start(draft, step);
  },
  due: (draft, step) => {
    if (step.status === 'SCHEDULED') start(draft, step);
  },
};

export const startWorkflow: StepType = {
  begin(draft, reached) {
    const id = draft.context.newId();
    const step = addStep(draft, reached, {
      id,
      type: 'START_WORKFLOW',
      name: reached.node.definition.name,
      status: 'IN_PROGRESS',
      input: inputOf(draft, reached, id),
    });
    const request = startRequest(draft, step.input['startWorkflow']);
    if (typeof request === 'string') endStep(draft, step, 'FAILED', { reason: request });
    else addStart(draft, { runId: draft.context.newId(), stepId: id, attached: false, request });
  },
};

/** What a rerun gives stands beside them as well; alone, it is the input of the run (see `start`). */
function parametersOf(draft: Draft, reached: Reached, id: string): JsonObject {
  const { definition } = reached.node;
  const parameters = resolveInput(draft, definition, taskSettings(definition), id);
  return Object.keys(parameters).length === 0 ? parameters : { ...parameters, ...reached.input };
}

function start(draft: Draft, step: Step): void {
  const { input } = step;
  const name = input['subWorkflowName'];
  if (typeof name !== 'string' || name === '') {
    endStep(draft, step, 'FAILED', { reason: 'Sub workflow has no name' });
    return;
  }
  const runId = draft.context.newId();
  const { run } = draft;
  const domains = input['subWorkflowTaskToDomain'];
  const workflowInput = isObject(input['workflowInput']) ? input['workflowInput'] : {};
  const inline = input['subWorkflowDefinition'];
  const version = numberOf(isObject(inline) ? inline['version'] : input['subWorkflowVersion']);
  const request: StartRequest = {
    name,
    ...(version === undefined ? {} : { version }),
    // As Conductor: a run without parameters is given the input of its step.
    input: Object.keys(workflowInput).length > 0 ? workflowInput : input,
    ...(run.correlationId === undefined ? {} : { correlationId: run.correlationId }),
    priority: numberOf(input['priority']) ?? run.priority,
    taskToDomain: isObject(domains) ? texts(domains) : run.taskToDomain,
    ...(isObject(inline) ? { definition: inline as unknown as WorkflowDefinition } : {}),
    ...(run.createdBy === undefined ? {} : { createdBy: run.createdBy }),
    ...idempotency(input),
  };
  addStart(draft, { runId, stepId: step.id, attached: true, request });
  draft.change(step, {
    status: 'IN_PROGRESS',
    startedAt: draft.now,
    dueAt: undefined,
    subRunId: runId,
    output: { subWorkflowId: runId },
  });
}

function addStart(draft: Draft, start: RunStart): void {
  draft.starts.push(start);
}

/** A text: why it can't be started. */
function startRequest(draft: Draft, value: unknown): StartRequest | string {
  if (value === undefined || value === null) return "Missing 'startWorkflow' in input data.";
  if (!isObject(value)) return "'startWorkflow' in input data is not a request to start a workflow.";
  const definition = isObject(value['workflowDef']) ? value['workflowDef'] : undefined;
  const name = value['name'] ?? definition?.['name'];
  if (typeof name !== 'string' || name === '') return "'startWorkflow' in input data has no workflow name.";
  const version = numberOf(value['version']);
  const priority = numberOf(value['priority']);
  const domains = value['taskToDomain'];
  return {
    name,
    ...(version === undefined ? {} : { version }),
    ...(isObject(value['input']) ? { input: value['input'] } : {}),
    ...(value['correlationId'] === undefined || value['correlationId'] === null
      ? {}
      : { correlationId: textOf(value['correlationId']) }),
    ...(priority === undefined ? {} : { priority }),
    taskToDomain: isObject(domains) ? texts(domains) : draft.run.taskToDomain,
    ...(definition === undefined ? {} : { definition: definition as unknown as WorkflowDefinition }),
    ...(typeof value['createdBy'] === 'string' ? { createdBy: value['createdBy'] } : {}),
    ...idempotency(value),
  };
}

function idempotency(
  value: Record<string, unknown>,
): Pick<StartRequest, 'idempotencyKey' | 'idempotencyStrategy'> {
  const key = value['idempotencyKey'];
  if (typeof key !== 'string') return {};
  const strategy = value['idempotencyStrategy'];
  if (strategy !== 'FAIL' && strategy !== 'RETURN_EXISTING' && strategy !== 'FAIL_ON_RUNNING')
    return { idempotencyKey: key };
  return { idempotencyKey: key, idempotencyStrategy: strategy };
}

function numberOf(value: unknown): number | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  const number = Number(value);
  return Number.isFinite(number) ? number : undefined;
}

function texts(object: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, textOf(value)]));
}
