/** SWITCH and DECISION: which of several lists of steps goes on. */

import type { Node } from '../compile.ts';
import type { Evaluated } from '../decision.ts';
import type { JsonObject } from '../definition.ts';
import { type Draft, RunFailure } from '../draft.ts';
import { addStep, endStep, inputOf, textOf } from '../make-step.ts';
import type { Step } from '../run.ts';
import { resolveInput } from '../scope.ts';
import { taskSettings } from '../task-settings.ts';
import { ask } from './script.ts';
import type { Reached, StepType } from './step-type.ts';

export const switchStep: StepType = {
  begin(draft, reached) {
    const { definition } = reached.node;
    const { evaluatorType } = definition;
    const expression = definition.expression ?? '';
    const step = addCase(draft, reached, 'SWITCH', undefined);
    if (evaluatorType === 'value-param') choose(draft, step, ownValue(step.input, expression));
    else if (evaluatorType === 'javascript' || evaluatorType === 'graaljs') {
      ask(draft, step, { language: 'javascript', expression, body: false, input: step.input });
    } else throw new RunFailure(`No evaluator registered for type: ${evaluatorType}`);
  },
  evaluated: (draft, step, result) => settle(draft, step, result),
  due: (draft, step) =>
    ask(draft, step, {
      language: 'javascript',
      expression: step.definition.expression ?? '',
      body: false,
      input: step.input,
    }),
};

export const decision: StepType = {
  begin(draft, reached) {
    const { caseExpression, caseValueParam } = reached.node.definition;
    const step = addCase(draft, reached, 'DECISION', {});
    if (caseExpression !== undefined && caseExpression !== '') askCase(draft, step);
    else choose(draft, step, ownValue(caseInput(draft, step), caseValueParam ?? ''));
  },
  evaluated: (draft, step, result) => settle(draft, step, result),
  due: (draft, step) => askCase(draft, step),
};

function askCase(draft: Draft, step: Step): void {
  const expression = step.definition.caseExpression ?? '';
  ask(draft, step, { language: 'javascript', expression, body: false, input: caseInput(draft, step) });
}

/** What a DECISION decides by: the input of its step tells the case alone, as in Conductor. */
function caseInput(draft: Draft, step: Step): JsonObject {
  return resolveInput(draft, step.definition, taskSettings(step.definition), step.id);
}

/** The first node of the case that a SWITCH or DECISION has chosen; undefined: what follows it is next. */
export function chosen(node: Node, step: Step): Node | undefined {
  const [value] = listOf(step.output['evaluationResult'] ?? step.output['caseOutput']);
  return caseOf(node, textOf(value));
}

/** @param input undefined: its parameters */
function addCase(
  draft: Draft,
  reached: Reached,
  type: 'SWITCH' | 'DECISION',
  input: JsonObject | undefined,
): Step {
  const id = draft.context.newId();
  const own = input ?? inputOf(draft, reached, id);
  return addStep(draft, reached, { id, type, name: type, status: 'IN_PROGRESS', input: own });
}

function settle(draft: Draft, step: Step, result: Evaluated): void {
  if (result.ok) choose(draft, step, result.value);
  else endStep(draft, step, 'FAILED', { reason: result.message });
}

function choose(draft: Draft, step: Step, value: unknown): void {
  const name = textOf(value);
  const children = caseOf(draft.nodeOf(step), name) !== undefined;
  const input = { ...step.input, case: name, ...(children ? { hasChildren: 'true' } : {}) };
  const output =
    step.type === 'SWITCH' ? { evaluationResult: [name], selectedCase: name } : { caseOutput: [name] };
  endStep(draft, step, 'COMPLETED', { input, output });
}

/** A SWITCH with a case that has no steps does nothing; a DECISION does what its default says. */
function caseOf(node: Node, name: string): Node | undefined {
  const found = node.cases.get(name);
  if (found !== undefined) return found;
  const empty = node.definition.type === 'SWITCH' && node.cases.has(name);
  return empty ? undefined : node.defaultCase;
}

function ownValue(input: JsonObject, name: string): unknown {
  return Object.hasOwn(input, name) ? input[name] : undefined;
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
