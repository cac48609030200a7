/**
 * Which branches a FORK_JOIN_DYNAMIC has: in one of three forms, as Conductor takes them. Pure.
 *
 * 1. `dynamicForkTasksParam` names a list of step definitions, `dynamicForkTasksInputParamName` an object with the input of
 *    each by its reference name.
 * 2. `dynamicForkJoinTasksParam` names `{dynamicTasks: [{taskName, referenceName, input, type}]}`.
 * 3. The input has `forkTaskName` or `forkTaskWorkflow`, and `forkTaskInputs`: one branch for each input.
 */

import type { JsonObject, StepDefinition } from '../definition.ts';
import { literal } from '../expression.ts';
import { javaText } from '../java-text.ts';
import { isObject } from '../scope.ts';

/** Its branches, each with what is given to it among its parameters. A text: why there are none. */
export function dynamicBranches(definition: StepDefinition, input: JsonObject): StepDefinition[] | string {
  const branches = readBranches(definition, input);
  if (typeof branches === 'string') return branches;
  const refs = new Set<string>();
  for (const { name, taskReferenceName: ref } of branches) {
    if (typeof ref !== 'string' || ref === '') return 'Dynamic fork tasks must have a taskReferenceName';
    if (typeof name !== 'string' || name === '') return `Dynamic fork task ${ref} must have a name`;
    if (refs.has(ref)) return `Dynamic fork tasks must have unique reference names: ${ref} is there twice`;
    refs.add(ref);
  }
  return branches;
}

/** The input of the fork's step: its own, and what its branches are. */
export function forkInput(own: JsonObject, branches: readonly StepDefinition[]): JsonObject {
  return {
    ...own,
    forkedTasks: branches.map((branch) => branch.taskReferenceName),
    forkedTaskDefs: branches,
  };
}

/** The branches that the input of a fork's step tells of. */
export function forkedBranches(input: JsonObject): StepDefinition[] {
  const definitions = input['forkedTaskDefs'];
  return Array.isArray(definitions) ? definitions.filter(isObject).map(asDefinition) : [];
}

function readBranches(definition: StepDefinition, input: JsonObject): StepDefinition[] | string {
  if (input['forkTaskName'] !== undefined || input['forkTaskWorkflow'] !== undefined) return sameFor(input);
  const { dynamicForkTasksParam, dynamicForkJoinTasksParam } = definition;
  if (dynamicForkTasksParam !== undefined && dynamicForkTasksParam !== '') {
    const inputs = definition.dynamicForkTasksInputParamName ?? '';
    return listed(input, dynamicForkTasksParam, inputs);
  }
  if (dynamicForkJoinTasksParam !== undefined) return joined(read(input, dynamicForkJoinTasksParam));
  return 'Dynamic fork has neither dynamicForkTasksParam nor dynamicForkJoinTasksParam';
}

function listed(input: JsonObject, tasksName: string, inputsName: string): StepDefinition[] | string {
  const tasks = read(input, tasksName);
  const inputs = read(input, inputsName);
  if (!Array.isArray(tasks))
    return `Input '${tasksName}' is invalid. Cannot deserialize a list of Workflow Tasks from '${show(tasks)}'`;
  if (inputs !== undefined && !isObject(inputs))
    return `Input to the dynamically forked tasks is not a map -> expecting a map of K,V  but found ${show(inputs)}`;
  const branches: StepDefinition[] = [];
  for (const task of tasks) {
    if (!isObject(task))
      return `Input '${tasksName}' is invalid. Cannot deserialize a list of Workflow Tasks from '${show(tasks)}'`;
    const given = read(inputs ?? {}, String(task['taskReferenceName']));
    if (given !== undefined && given !== null && !isObject(given))
      return `Input to the dynamically forked task ${show(task['taskReferenceName'])} is not a map`;
    branches.push(withInput(task, isObject(given) ? given : {}));
  }
  return branches;
}

function joined(value: unknown): StepDefinition[] | string {
  const tasks = isObject(value) ? value['dynamicTasks'] : undefined;
  if (!Array.isArray(tasks))
    return `Input of the dynamic fork must be an object with the list dynamicTasks, but found ${show(value)}`;
  const branches: StepDefinition[] = [];
  for (const task of tasks) {
    if (!isObject(task)) return `dynamicTasks of the dynamic fork must be objects, but found ${show(task)}`;
    const name = task['taskName'];
    const definition = { name, taskReferenceName: task['referenceName'], type: task['type'] ?? 'SIMPLE' };
    branches.push(withInput(definition, isObject(task['input']) ? task['input'] : {}));
  }
  return branches;
}

/** One task or workflow for many inputs: refs `_NAME_0`, `_NAME_1` …; `__index` in each input. */
function sameFor(input: JsonObject): StepDefinition[] | string {
  const inputs = input['forkTaskInputs'];
  if (!Array.isArray(inputs)) return `forkTaskInputs must be a list, but found ${show(inputs)}`;
  const workflow = input['forkTaskWorkflow'];
  const name = String(workflow ?? input['forkTaskName']);
  const version = input['forkTaskWorkflowVersion'];
  return inputs.map((given: unknown, index) => {
    const own = isObject(given) ? given : { input: given };
    const ref = { name, taskReferenceName: `_${name}_${index}` };
    const definition =
      workflow === undefined
        ? { ...ref, type: input['forkTaskType'] ?? 'SIMPLE' }
        : {
            ...ref,
            type: 'SUB_WORKFLOW',
            subWorkflowParam: { name, ...(version === undefined ? {} : { version }) },
          };
    return withInput(definition, { ...own, __index: index });
  });
}

/** What is given counts more than the parameters. It is data: expressions in it are none. */
function withInput(task: Record<string, unknown>, given: JsonObject): StepDefinition {
  if (Object.keys(given).length === 0) return asDefinition(task);
  const own = isObject(task['inputParameters']) ? task['inputParameters'] : {};
  return asDefinition({ ...task, inputParameters: { ...own, ...(literal(given) as JsonObject) } });
}

/** What it has is checked where it is used: it comes from outside. */
function asDefinition(task: Record<string, unknown>): StepDefinition {
  return task as unknown as StepDefinition;
}

function read(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

function show(value: unknown): string {
  return javaText(value, 200);
}
