/**
 * Definitions as Conductor shows them: as their author sent them, with what he left out at its defaults, and without
 * properties that are null. Pure.
 */

import type { StepDefinition, TaskDefinition, WorkflowDefinition } from './definition.ts';

type Document = Readonly<Record<string, unknown>>;

const workflowDefaults = {
  createTime: 0,
  updateTime: 0,
  version: 1,
  inputParameters: [],
  outputParameters: {},
  schemaVersion: 2,
  restartable: true,
  workflowStatusListenerEnabled: false,
  timeoutPolicy: 'ALERT_ONLY',
  timeoutSeconds: 0,
  variables: {},
  inputTemplate: {},
  enforceSchema: true,
  metadata: {},
  maskedFields: [],
} as const;

const stepDefaults = {
  inputParameters: {},
  type: 'SIMPLE',
  decisionCases: {},
  defaultCase: [],
  forkTasks: [],
  startDelay: 0,
  joinOn: [],
  optional: false,
  defaultExclusiveJoinTask: [],
  asyncComplete: false,
  loopOver: [],
  onStateChange: {},
  permissive: false,
  metadata: {},
} as const;

const taskDefaults = {
  createTime: 0,
  updateTime: 0,
  createdBy: '',
  retryCount: 3,
  timeoutSeconds: 0,
  inputKeys: [],
  outputKeys: [],
  runtimeMetadata: [],
  timeoutPolicy: 'TIME_OUT_WF',
  retryLogic: 'FIXED',
  retryDelaySeconds: 60,
  responseTimeoutSeconds: 3600,
  inputTemplate: {},
  rateLimitPerFrequency: 0,
  rateLimitFrequencyInSeconds: 1,
  backoffScaleFactor: 1,
  maxRetryDelaySeconds: 0,
  backoffJitterMs: 0,
  totalTimeoutSeconds: 0,
  taskStatusListenerEnabled: true,
  enforceSchema: false,
} as const;

/** WorkflowDef, with all steps inside. */
export function workflowDefinitionDocument(definition: WorkflowDefinition): Document {
  return workflowDocument(definition);
}

/** WorkflowTask: one step of a definition, with all that is inside it. */
export function stepDefinitionDocument(definition: StepDefinition): Document {
  const document = stepDocument(definition);
  return isDocument(document) ? document : {};
}

/** TaskDef. */
export function taskDefinitionDocument(definition: TaskDefinition): Document {
  return taskDocument(definition);
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

function workflowDocument(definition: Document): Document {
  const known = withoutNulls(definition);
  const limit = known.rateLimitConfig;
  return {
    ...workflowDefaults,
    ...known,
    ...(isDocument(limit) ? { rateLimitConfig: { policy: 'QUEUE', ...withoutNulls(limit) } } : {}),
    tasks: Array.isArray(definition.tasks) ? definition.tasks.map(stepDocument) : [],
  };
}

function stepDocument(step: unknown): unknown {
  if (!isDocument(step)) return step;
  const known = mapSteps(withoutNulls(step), (steps) =>
    Array.isArray(steps) ? steps.map(stepDocument) : steps,
  );
  const task = isDocument(known.taskDefinition) ? { taskDefinition: taskDocument(known.taskDefinition) } : {};
  return { ...stepDefaults, ...known, ...task, ...innerDocument(known.subWorkflowParam) };
}

/** A definition that is written down inside of a SUB_WORKFLOW is shown as all are. */
function innerDocument(param: unknown): Document {
  if (!isDocument(param)) return {};
  const inner = isDocument(param.workflowDefinition)
    ? { workflowDefinition: workflowDocument(param.workflowDefinition) }
    : {};
  return { subWorkflowParam: { ...withoutNulls(param), ...inner } };
}

/** One that was written anew says by whom, if only by nobody. */
function taskDocument(definition: Document): Document {
  const known = withoutNulls(definition);
  const isUpdated = typeof known.updateTime === 'number' && known.updateTime > 0;
  return { ...taskDefaults, ...(isUpdated ? { updatedBy: '' } : {}), ...known };
}

function withoutNulls(document: Document): Document {
  return Object.fromEntries(Object.entries(document).filter(([, value]) => value !== null));
}

function isDocument(value: unknown): value is Document {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
