/** Checks a workflow definition against what is registered: its task definitions, and the workflows that it calls. */

import type { TaskDefinition, WorkflowDefinition } from '../domain/workflow/definition.ts';
import { certainSubWorkflows, cycleThrough, type WorkflowName } from '../domain/workflow/sub-workflows.ts';
import { validateWorkflow } from '../domain/workflow/validate-definition.ts';
import { withoutNulls } from '../domain/workflow/validate-task.ts';
import { isObject, refuseViolations } from '../domain/workflow/violation.ts';

/** What is registered. */
export interface Registered {
  /** The task definitions of these names, as far as they exist. */
  tasks(names: readonly string[]): Promise<ReadonlyMap<string, TaskDefinition>>;
  /** undefined: there is none. */
  workflow(name: WorkflowName): Promise<WorkflowDefinition | undefined>;
  readonly environment?: Readonly<Record<string, string>>;
}

/** So many called workflows are looked at; who calls more is not searched to the end. */
const mostLookedAt = 200;
/** Steps of these types may take from a task definition what they lack. */
const typesWithTemplates = new Set(['HTTP', 'KAFKA_PUBLISH', 'JSON_JQ_TRANSFORM', 'TERMINATE', 'WAIT']);

/**
 * A document as a definition: checked, and without fields that are null.
 *
 * @throws DEFINITION_INVALID with `details.violations`
 */
export async function checkDefinition(
  document: unknown,
  registered: Registered,
): Promise<WorkflowDefinition> {
  const names = new Set<string>();
  collectNames(document, names);
  const tasks =
    names.size === 0 ? new Map<string, TaskDefinition>() : await registered.tasks([...names].slice(0, 1_000));
  const environment = registered.environment ?? {};
  refuseViolations(
    'the workflow definition',
    validateWorkflow(document, { task: (name) => tasks.get(name), environment }),
  );
  const definition = cleaned(document as WorkflowDefinition);
  const way = await findCycle(definition, registered);
  if (way !== undefined) {
    const message =
      `workflow ${definition.name} would start itself without end: ${way.join(' > ')}; ` +
      'put the call into a case of a SWITCH that ends it';
    refuseViolations('the workflow definition', [{ path: 'tasks', message, invalidValue: definition.name }]);
  }
  return definition;
}

async function findCycle(
  definition: WorkflowDefinition,
  registered: Registered,
): Promise<readonly string[] | undefined> {
  const known = new Map<string, WorkflowDefinition | undefined>();
  const keyOf = (name: WorkflowName) => `${name.version ?? ''} ${name.name}`;
  const waiting = [...certainSubWorkflows(definition)];
  for (let next = waiting.pop(); next !== undefined && known.size < mostLookedAt; next = waiting.pop()) {
    if (known.has(keyOf(next))) continue;
    const found = await registered.workflow(next);
    known.set(keyOf(next), found);
    if (found !== undefined) waiting.push(...certainSubWorkflows(found));
  }
  return cycleThrough(definition, (name) => known.get(keyOf(name)));
}

/** The names of steps that may take from their task definitions, without recursion: nothing is checked yet. */
function collectNames(document: unknown, names: Set<string>): void {
  const waiting: unknown[] = [document];
  while (waiting.length > 0 && names.size < 1_000) {
    const value = waiting.pop();
    if (typeof value !== 'object' || value === null) continue;
    const { name, type } = value as { readonly name?: unknown; readonly type?: unknown };
    const mayTake = typeof type === 'string' && typesWithTemplates.has(type);
    // Others can't be looked up, and are refused by the check.
    if (mayTake && typeof name === 'string' && name.isWellFormed() && !name.includes('\u0000'))
      names.add(name);
    for (const inner of Object.values(value)) waiting.push(inner);
  }
}

function cleaned(definition: WorkflowDefinition): WorkflowDefinition {
  return withoutNulls({ ...definition, tasks: definition.tasks.map(cleanedStep) });
}

function cleanedStep<Step extends WorkflowDefinition['tasks'][number]>(step: Step): Step {
  const { decisionCases, defaultCase, forkTasks, loopOver, subWorkflowParam, ...rest } = withoutNulls(step);
  const inline = subWorkflowParam?.workflowDefinition;
  return {
    ...rest,
    ...(decisionCases === undefined
      ? {}
      : {
          decisionCases: Object.fromEntries(
            Object.entries(decisionCases).map(([name, steps]) => [name, steps.map(cleanedStep)]),
          ),
        }),
    ...(defaultCase === undefined ? {} : { defaultCase: defaultCase.map(cleanedStep) }),
    ...(forkTasks === undefined ? {} : { forkTasks: forkTasks.map((branch) => branch.map(cleanedStep)) }),
    ...(loopOver === undefined ? {} : { loopOver: loopOver.map(cleanedStep) }),
    ...(subWorkflowParam === undefined
      ? {}
      : {
          subWorkflowParam: withoutNulls({
            ...subWorkflowParam,
            ...(isObject(inline)
              ? { workflowDefinition: cleaned(inline as unknown as WorkflowDefinition) }
              : {}),
          }),
        }),
  } as unknown as Step;
}
