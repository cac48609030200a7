/** Steps that somebody outside does, as a job: SIMPLE, CUSTOM, DYNAMIC, types of users, HTTP. */

import type { StepDefinition, TaskDefinition } from '../definition.ts';
import { type Draft, RunFailure } from '../draft.ts';
import { javaText } from '../java-text.ts';
import { addStep, delayOf, inputOf, textOf } from '../make-step.ts';
import type { Step } from '../run.ts';
import { taskSettings } from '../task-settings.ts';
import type { Reached, StepType } from './step-type.ts';

/** SIMPLE and CUSTOM: workers poll for its name. */
export const simple: StepType = {
  begin: (draft, reached) => beginJob(draft, reached, reached.node.definition.name, reached.node.definition),
};

/** A type that is none of ours: workers poll for the type; its name must be registered. */
export const userDefined: StepType = {
  begin(draft, reached) {
    const { definition } = reached.node;
    const task = definition.taskDefinition ?? draft.context.taskOf(definition.name);
    if (task === undefined) throw unknownTask(definition.name);
    beginJob(draft, reached, definition.type ?? definition.name, { ...definition, taskDefinition: task });
  },
};

/** Its name is told by its input. */
export const dynamic: StepType = {
  begin(draft, reached) {
    const { definition } = reached.node;
    const parameter = definition.dynamicTaskNameParam ?? '';
    const input = inputOf(draft, reached, '');
    const name = Object.hasOwn(input, parameter) ? input[parameter] : undefined;
    if (name === undefined || name === null || name === '') {
      throw new RunFailure(
        'Cannot map a dynamic task based on the parameter and input. ' +
          `Parameter= ${parameter}, input= ${javaText(input, 1_000)}`,
      );
    }
    const chosen = textOf(name);
    // As Conductor: what nobody registered is not tried again.
    const task = draft.context.taskOf(chosen) ?? { name: chosen, retryCount: 0 };
    beginJob(draft, reached, chosen, { ...definition, name: chosen, taskDefinition: task });
  },
};

/** A request that a server makes; so is its job's kind. */
export const http: StepType = {
  begin(draft, reached) {
    const id = draft.context.newId();
    const { definition } = reached.node;
    const input = { ...inputOf(draft, reached, id), asyncComplete: definition.asyncComplete ?? false };
    addJob(draft, reached, { id, kind: 'HTTP', definition, input, domain: undefined });
  },
};

/** Takes messages to the run, as a job that any of our workers does. */
export const pullMessages: StepType = {
  begin(draft, reached) {
    const id = draft.context.newId();
    const { definition } = reached.node;
    const input = inputOf(draft, reached, id);
    addJob(draft, reached, { id, kind: 'PULL_WORKFLOW_MESSAGES', definition, input, domain: undefined });
  },
};

/** Types that our own workers do, without a handler of the user's: what goes on after its job does not wait for a job again. */
export function isDoneHere(type: string): boolean {
  return type === 'HTTP' || type === 'PULL_WORKFLOW_MESSAGES';
}

/** Enqueues, or enqueues again, the job of a step. */
export function enqueue(draft: Draft, step: Step, delaySeconds: number, again: boolean): void {
  const task = taskSettings(step.definition);
  const responseSeconds = task.responseTimeoutSeconds ?? 3_600;
  // Once it has started, its run looks after the time of the attempt itself.
  const timeoutSeconds =
    step.startedAt === undefined && task.timeoutPolicy !== 'ALERT_ONLY' ? (task.timeoutSeconds ?? 0) : 0;
  draft.jobs.set(step.id, {
    stepId: step.id,
    seq: step.seq,
    kind: step.type,
    domain: step.domain,
    payload: step.input,
    delayMs: Math.round(delaySeconds * 1_000),
    priority: draft.run.priority,
    responseTimeoutMs: responseSeconds > 0 ? responseSeconds * 1_000 : undefined,
    timeoutMs: timeoutSeconds > 0 ? timeoutSeconds * 1_000 : undefined,
    isLimited: isLimited(task),
    ...(step.type !== step.name && isLimited(task) ? { limitsOf: step.name } : {}),
    again,
  });
}

/** Limits hold by the name of the task: where its job is of another kind, as that of HTTP is, this must be said. */
function isLimited({ concurrentExecLimit, rateLimitPerFrequency }: TaskDefinition): boolean {
  return (concurrentExecLimit ?? 0) > 0 || (rateLimitPerFrequency ?? 0) > 0;
}

/** Steps that have jobs. */
export function hasJob(step: Step): boolean {
  return step.type !== 'FORK' && !jobless.has(step.type);
}

/** Whether a type of definition needs no task definitions but those that the workflow brings: what it begins is known before. */
export function isKnownBefore(type: string): boolean {
  return simpleTypes.has(type) || type === 'FORK_JOIN' || isDoneHere(type) || jobless.has(type);
}

const simpleTypes: ReadonlySet<string> = new Set(['SIMPLE', 'CUSTOM']);
/** Types that no worker does: decisions end their steps, or time, a person, another run. */
const jobless: ReadonlySet<string> = new Set([
  'SWITCH',
  'DECISION',
  'JOIN',
  'EXCLUSIVE_JOIN',
  'DO_WHILE',
  'SUB_WORKFLOW',
  'START_WORKFLOW',
  'WAIT',
  'HUMAN',
  'EVENT',
  'INLINE',
  'LAMBDA',
  'JSON_JQ_TRANSFORM',
  'SET_VARIABLE',
  'TERMINATE',
  'NOOP',
  'KAFKA_PUBLISH',
]);

function beginJob(draft: Draft, reached: Reached, kind: string, definition: StepDefinition): void {
  const id = draft.context.newId();
  const task: TaskDefinition = taskSettings(definition);
  const input = inputOf(draft, reached, id, task);
  const domain = draft.context.domainOf(kind, draft.run.taskToDomain);
  addJob(draft, reached, { id, kind, definition, input, domain });
}

function addJob(
  draft: Draft,
  reached: Reached,
  job: Pick<Step, 'id' | 'definition' | 'input' | 'domain'> & { kind: string },
): void {
  const delaySeconds = delayOf(reached);
  const step = addStep(draft, reached, {
    id: job.id,
    type: job.kind,
    name: job.definition.name,
    status: 'SCHEDULED',
    definition: job.definition,
    input: job.input,
    domain: job.domain,
    startDelaySeconds: Math.floor(delaySeconds),
    callbackAfterSeconds: Math.floor(delaySeconds),
  });
  enqueue(draft, step, delaySeconds, false);
}

function unknownTask(name: string): RunFailure {
  return new RunFailure(`Invalid task specified. Cannot find task by name ${name} in the task definitions`);
}
