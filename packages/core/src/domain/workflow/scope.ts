/**
 * What `${…}` may speak of in a run: the documents `workflow` and, by reference name, the last instance of each step
 * (Conductor's ParametersUtils). A document is made only when it is named, the output of a running loop only as far as
 * it is read.
 */

import type { JsonObject, StepDefinition, TaskDefinition } from './definition.ts';
import type { Draft } from './draft.ts';
import { resolve, type Scope } from './expression.ts';
import { isRunningLoop, iterationOutput, outputOf } from './gathered-output.ts';
import type { Step } from './run.ts';

/** A value with its expressions replaced by what the run knows. `taskId`: of the step whose input it is. */
export function resolveIn(draft: Draft, value: unknown, taskId?: string): unknown {
  let loops = false;
  const scope: Scope = {
    taskId,
    environment: draft.context.environment,
    lookup(name) {
      if (name === 'workflow') return workflowDocument(draft);
      const step = draft.named(name) ?? draft.latest(name);
      if (step === undefined) return undefined;
      loops ||= isRunningLoop(step);
      return stepDocument(draft, step);
    },
  };
  const resolved = resolve(value, scope);
  return loops ? plain(resolved) : resolved;
}

/** The input of a step: its parameters over the template of its task, which also fills what came to null. */
export function resolveInput(
  draft: Draft,
  definition: StepDefinition,
  task: TaskDefinition | undefined,
  taskId: string,
): JsonObject {
  const template = task?.inputTemplate ?? {};
  const input = resolveIn(draft, { ...template, ...definition.inputParameters }, taskId);
  if (!isObject(input)) return {};
  if (!Object.keys(template).some((name) => input[name] === null)) return input;
  const filled = resolveIn(draft, template, taskId);
  return Object.fromEntries(
    Object.entries(input).map(([name, value]) => [
      name,
      value === null && isObject(filled) && Object.hasOwn(filled, name) ? filled[name] : value,
    ]),
  );
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The run as expressions see it. */
export function workflowDocument({ run }: Pick<Draft, 'run'>): JsonObject {
  return {
    input: run.input,
    output: run.output,
    status: run.status,
    workflowId: run.id,
    parentWorkflowId: run.parent?.runId ?? null,
    parentWorkflowTaskId: run.parent?.stepId ?? null,
    workflowType: run.definition.name,
    version: run.definition.version ?? 1,
    correlationId: run.correlationId ?? null,
    reasonForIncompletion: run.reason ?? null,
    schemaVersion: run.definition.schemaVersion ?? 2,
    variables: run.variables,
  };
}

function stepDocument(draft: Draft, step: Step): JsonObject {
  return {
    input: step.input,
    output: isRunningLoop(step) ? lazyOutput(draft, step) : step.output,
    taskType: step.type,
    status: step.status,
    referenceTaskName: step.ref,
    retryCount: step.retryCount,
    correlationId: draft.run.correlationId ?? null,
    pollCount: step.pollCount,
    taskDefName: step.name,
    scheduledTime: step.scheduledAt,
    startTime: step.startedAt ?? 0,
    endTime: step.endedAt ?? 0,
    workflowInstanceId: draft.run.id,
    taskId: step.id,
    reasonForIncompletion: step.reason ?? null,
    callbackAfterSeconds: step.callbackAfterSeconds,
    workerId: step.workerId ?? null,
    iteration: step.iteration,
  };
}

/** The output of a running loop: an iteration is put together when it is read, all of them when their names are. */
export function lazyOutput(draft: Draft, step: Step): JsonObject {
  let whole: JsonObject | undefined;
  const read = (name: string | symbol): unknown => {
    if (typeof name !== 'string') return undefined;
    if (whole !== undefined) return Object.hasOwn(whole, name) ? whole[name] : undefined;
    if (Object.hasOwn(step.output, name)) return step.output[name];
    return /^[1-9]\d*$/.test(name) ? iterationOutput(draft, step, Number(name)) : undefined;
  };
  const names = (): JsonObject => {
    whole ??= outputOf(draft, step);
    return whole;
  };
  const target: Record<string, unknown> = {};
  return new Proxy(target, {
    get: (_target, name) => read(name),
    has: (_target, name) => read(name) !== undefined,
    ownKeys: () => Object.keys(names()),
    getOwnPropertyDescriptor: (_target, name) => {
      const value = read(name);
      if (value === undefined) return undefined;
      return { value, enumerable: true, configurable: true, writable: true };
    },
  });
}

/** Without what is made only when it is read: a deep copy. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]));
}
