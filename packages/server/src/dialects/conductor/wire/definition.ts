/**
 * Definitions on the wire, as core shows them. The texts are kept as long as the documents, which many runs and steps
 * share.
 */

import {
  type StepDefinition,
  stepDefinitionDocument,
  type TaskDefinition,
  taskDefinitionDocument,
  type WorkflowDefinition,
  workflowDefinitionDocument,
} from '@lineshaft/core';

type Document = Readonly<Record<string, unknown>>;

const workflowTexts = new WeakMap<object, string>();
const stepTexts = new WeakMap<object, string>();
const taskTexts = new WeakMap<object, string>();

/** WorkflowDef. */
export function workflowDefText(definition: WorkflowDefinition): string {
  return kept(workflowTexts, definition, () => JSON.stringify(workflowDefinitionDocument(definition)));
}

/** WorkflowTask: one step of a definition, with all that is inside it. */
export function workflowTaskText(definition: StepDefinition): string {
  return kept(stepTexts, definition, () => JSON.stringify(stepDefinitionDocument(definition)));
}

/** TaskDef. */
export function taskDefText(definition: TaskDefinition): string {
  return kept(taskTexts, definition, () => JSON.stringify(taskDefinitionDocument(definition)));
}

/** The steps of a Swift client that left their type out are CUSTOM, as that edition's default is. */
export function withCustomSteps(definition: WorkflowDefinition): WorkflowDefinition {
  const steps = (given: unknown): unknown => (Array.isArray(given) ? given.map(step) : given);
  const step = (given: unknown): unknown =>
    isDocument(given)
      ? {
          ...mapSteps(given, steps),
          type: given.type === undefined || given.type === null ? 'CUSTOM' : given.type,
        }
      : given;
  return { ...definition, tasks: steps(definition.tasks) as readonly StepDefinition[] };
}

/** The input of a FORK or SUB_WORKFLOW: definitions in it are shown as all are. */
export function inputWithDefinitions(input: Document): Document {
  const { forkedTaskDefs: forked, subWorkflowDefinition: inner } = input;
  return {
    ...input,
    ...(Array.isArray(forked) ? { forkedTaskDefs: forked.map(stepDefinitionDocument) } : {}),
    ...(isDocument(inner)
      ? { subWorkflowDefinition: workflowDefinitionDocument(inner as unknown as WorkflowDefinition) }
      : {}),
  };
}

/** Applies `each` to the lists of steps inside a step. */
function mapSteps(step: Document, each: (steps: unknown) => unknown): Document {
  const mapped: Record<string, unknown> = { ...step };
  if (isDocument(step.decisionCases)) {
    mapped.decisionCases = Object.fromEntries(
      Object.entries(step.decisionCases).map(([name, steps]) => [name, each(steps)]),
    );
  }
  if (Array.isArray(step.forkTasks)) mapped.forkTasks = step.forkTasks.map(each);
  if (step.defaultCase !== undefined) mapped.defaultCase = each(step.defaultCase);
  if (step.loopOver !== undefined) mapped.loopOver = each(step.loopOver);
  return mapped;
}

function isDocument(value: unknown): value is Document {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kept(texts: WeakMap<object, string>, document: object, make: () => string): string {
  let text = texts.get(document);
  if (text === undefined) {
    text = make();
    texts.set(document, text);
  }
  return text;
}
