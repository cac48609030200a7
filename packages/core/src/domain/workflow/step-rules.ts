/** What a step of each type needs, in the words of Conductor. Pure. */

import type { JsonObject, StepDefinition, TaskDefinition } from './definition.ts';
import { waitTime } from './wait-time.ts';

/**
 * What is missing or wrong in a step, for what it is.
 *
 * @param step Its fields have their types.
 * @param task The task definition of its name: what its `inputTemplate` gives need not be in `inputParameters`.
 */
export function stepTroubles(step: StepDefinition, task: TaskDefinition | undefined): readonly string[] {
  const rule = Object.hasOwn(rules, step.type ?? '') ? rules[step.type ?? ''] : undefined;
  return rule?.(step, { ...task?.inputTemplate, ...step.inputParameters }) ?? [];
}

type Rule = (step: StepDefinition, input: JsonObject) => readonly string[];

const rules: Readonly<Record<string, Rule>> = {
  EVENT: (step) => need(step, { sink: step.sink }),
  DECISION: (step) => [
    ...need(step, { 'caseValueParam or caseExpression': step.caseValueParam ?? step.caseExpression }),
    ...needCases(step),
  ],
  SWITCH: (step) => [
    ...(absent(step.evaluatorType)
      ? need(step, { evaluatorType: undefined })
      : need(step, { expression: step.expression })),
    ...needCases(step),
  ],
  DO_WHILE: needLoop,
  WHILE: needLoop,
  DYNAMIC: (step) => need(step, { dynamicTaskNameParam: step.dynamicTaskNameParam }),
  FORK_JOIN_DYNAMIC: dynamicForkTroubles,
  FORK_JOIN: (step) =>
    (step.forkTasks?.length ?? 0) === 0
      ? [`forkTasks should have atleast one task for ${whichStep(step)}`]
      : [],
  HTTP: (step, input) =>
    need(step, {
      'inputParameters.http_request or inputParameters.uri': input['http_request'] ?? input['uri'],
    }),
  KAFKA_PUBLISH: (step, input) => need(step, { 'inputParameters.kafka_request': input['kafka_request'] }),
  JSON_JQ_TRANSFORM: (step, input) =>
    need(step, { 'inputParameters.queryExpression': input['queryExpression'] }),
  SUB_WORKFLOW: (step) => need(step, { subWorkflowParam: step.subWorkflowParam }),
  TERMINATE: terminateTroubles,
  WAIT: (_step, input) => {
    const { duration, until } = input;
    const time = waitTime({ duration, until }, 0);
    if (time.type !== 'refused' || isExpression(duration) || isExpression(until)) return [];
    return [time.reason];
  },
};

function need(step: StepDefinition, fields: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(fields)
    .filter(([, value]) => absent(value))
    .map(([name]) => `${name} field is required for ${whichStep(step)}`);
}

function needCases(step: StepDefinition): string[] {
  const none = Object.keys(step.decisionCases ?? {}).length === 0 && (step.defaultCase?.length ?? 0) === 0;
  return none ? [`decisionCases should have atleast one task for ${whichStep(step)}`] : [];
}

/** A loop over a list needs no condition. */
function needLoop(step: StepDefinition, input: JsonObject): string[] {
  const overList = !absent(step.items) || !absent(input['_items']);
  return need(step, {
    ...(overList ? {} : { loopCondition: step.loopCondition }),
    loopOver: (step.loopOver?.length ?? 0) === 0 ? undefined : step.loopOver,
  });
}

function dynamicForkTroubles(step: StepDefinition, input: JsonObject): string[] {
  const { dynamicForkJoinTasksParam, dynamicForkTasksParam, dynamicForkTasksInputParamName } = step;
  if (!absent(dynamicForkJoinTasksParam)) {
    if (absent(dynamicForkTasksParam) && absent(dynamicForkTasksInputParamName)) return [];
    return [
      'dynamicForkJoinTasksParam or combination of dynamicForkTasksInputParamName and dynamicForkTasksParam cam be ' +
        `used for ${whichStep(step)}`,
    ];
  }
  if (['forkTaskName', 'forkTaskType', 'forkTaskWorkflow'].some((name) => !absent(input[name]))) return [];
  return need(step, { dynamicForkTasksParam, dynamicForkTasksInputParamName });
}

function terminateTroubles(step: StepDefinition, input: JsonObject): string[] {
  const status = input['terminationStatus'];
  const known = typeof status === 'string' && ['COMPLETED', 'FAILED', 'TERMINATED'].includes(status);
  return [
    ...(step.optional === true ? [`terminate task cannot be optional, taskName: ${step.name}`] : []),
    ...(known || isExpression(status)
      ? []
      : [
          'terminate task must have an terminationStatus parameter and must be set to COMPLETED or FAILED, taskName: ' +
            step.name,
        ]),
  ];
}

function whichStep(step: StepDefinition): string {
  return `taskType: ${step.type} taskName: ${step.name}`;
}

function absent(value: unknown): boolean {
  return value === undefined || value === null;
}

function isExpression(value: unknown): boolean {
  return typeof value === 'string' && value.includes('${');
}
