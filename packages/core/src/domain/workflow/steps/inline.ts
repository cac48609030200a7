/** INLINE, LAMBDA and JSON_JQ_TRANSFORM: a script or a jq program over the input, whose result is the output. */

import type { Draft } from '../draft.ts';
import { addStep, endStep, inputOf } from '../make-step.ts';
import type { Step, StepStatus } from '../run.ts';
import { ask, type Script } from './script.ts';
import type { Reached, StepType } from './step-type.ts';

export const inline: StepType = {
  begin(draft, reached) {
    const step = addScript(draft, reached, 'INLINE');
    const evaluator = step.input['evaluatorType'];
    const expression = step.input['expression'];
    if (typeof evaluator !== 'string' || evaluator === '')
      refuse(draft, step, 'Empty evaluatorType in INLINE task. ');
    else if (typeof expression !== 'string' || expression === '')
      refuse(draft, step, 'Empty expression in INLINE task. ');
    else if (evaluator === 'value-param') end(draft, step, step.input[expression] ?? null);
    else if (evaluator === 'javascript' || evaluator === 'graaljs') ask(draft, step, inlineScript(step));
    else refuse(draft, step, `Unknown evaluator '${evaluator}' in INLINE task.`);
  },
  evaluated(draft, step, result) {
    if (result.ok) end(draft, step, result.value ?? null);
    else refuse(draft, step, result.message);
  },
  due: (draft, step) => ask(draft, step, inlineScript(step)),
};

export const lambda: StepType = {
  begin(draft, reached) {
    const step = addScript(draft, reached, 'LAMBDA');
    const expression = step.input['scriptExpression'];
    if (typeof expression !== 'string' || expression === '')
      fail(draft, step, 'Empty scriptExpression in Lambda task. ', 'FAILED');
    else ask(draft, step, lambdaScript(step));
  },
  evaluated(draft, step, result) {
    if (result.ok) end(draft, step, result.value ?? null);
    else fail(draft, step, result.message, 'FAILED');
  },
  due: (draft, step) => ask(draft, step, lambdaScript(step)),
};

export const jsonJq: StepType = {
  begin(draft, reached) {
    const step = addScript(draft, reached, 'JSON_JQ_TRANSFORM');
    const expression = step.input['queryExpression'];
    if (typeof expression !== 'string' || expression === '')
      endStep(draft, step, 'FAILED', { reason: "Missing 'queryExpression' in input parameters" });
    else ask(draft, step, jqScript(step));
  },
  evaluated(draft, step, result) {
    if (!result.ok) {
      fail(draft, step, result.message, 'FAILED');
      return;
    }
    const values = result.values ?? [result.value];
    endStep(draft, step, 'COMPLETED', { output: { result: values[0] ?? null, resultList: values } });
  },
  due: (draft, step) => ask(draft, step, jqScript(step)),
};

function inlineScript(step: Step): Script {
  const expression = String(step.input['expression']);
  return { language: 'javascript', expression, body: false, input: step.input };
}

function lambdaScript(step: Step): Script {
  const expression = String(step.input['scriptExpression']);
  return { language: 'javascript', expression, body: true, input: step.input };
}

function jqScript(step: Step): Script {
  return {
    language: 'jq',
    expression: String(step.input['queryExpression']),
    body: false,
    input: step.input,
  };
}

/** What the script is may stand in the parameters or in the definition itself. */
function addScript(draft: Draft, reached: Reached, type: string): Step {
  const id = draft.context.newId();
  const { definition } = reached.node;
  const { evaluatorType = 'javascript', expression, scriptExpression } = definition;
  const own: Record<string, unknown> = type === 'INLINE' ? { evaluatorType } : {};
  if (type === 'INLINE' && expression !== undefined) own['expression'] = expression;
  if (type === 'LAMBDA' && scriptExpression !== undefined) own['scriptExpression'] = scriptExpression;
  const input = { ...own, ...inputOf(draft, reached, id) };
  return addStep(draft, reached, { id, type, name: definition.name, status: 'IN_PROGRESS', input });
}

function end(draft: Draft, step: Step, result: unknown): void {
  endStep(draft, step, 'COMPLETED', { output: { result } });
}

function refuse(draft: Draft, step: Step, message: string): void {
  fail(draft, step, message, 'FAILED_WITH_TERMINAL_ERROR');
}

function fail(draft: Draft, step: Step, message: string, status: StepStatus): void {
  endStep(draft, step, status, { reason: message, output: { error: message } });
}
