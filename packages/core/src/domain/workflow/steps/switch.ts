/** SWITCH and DECISION: which of several lists of steps goes on. */

import type { Node } from '../compile.ts';
import type { JsonObject } from '../definition.ts';
import { type Draft, RunFailure } from '../draft.ts';
import { addStep, endStep, inputOf, textOf } from '../make-step.ts';
import type { Step } from '../run.ts';
import { ask } from './script.ts';
import type { Reached, StepType } from './step-type.ts';

export const switchStep: StepType = {
  begin(draft, reached) {
    const { definition } = reached.node;
    const { evaluatorType } = definition;
    const expression = definition.expression ?? '';
    const step = addCase(draft, reached, 'SWITCH');
    if (evaluatorType === 'value-param') choose(draft, step, ownValue(step.input, expression));
    else if (evaluatorType === 'javascript' || evaluatorType === 'graaljs') {
      ask(draft, step, { language: 'javascript', expression, body: false, input: step.input });
    } else throw new RunFailure(`No evaluator registered for type: ${evaluatorType}`);
  },
  evaluated: (draft, step, result) =>
    result.ok ? choose(draft, step, result.value) : refuse(draft, step, result.message),
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
    const step = addCase(draft, reached, 'DECISION');
    if (caseExpression !== undefined && caseExpression !== '')
      ask(draft, step, {
        language: 'javascript',
        expression: caseExpression,
        body: false,
        input: step.input,
      });
    else choose(draft, step, ownValue(step.input, caseValueParam ?? ''));
  },
  evaluated: switchStep.evaluated,
  due: (draft, step) =>
    ask(draft, step, {
      language: 'javascript',
      expression: step.definition.caseExpression ?? '',
      body: false,
      input: step.input,
    }),
} as StepType;

/** The first node of the case that a SWITCH or DECISION has chosen; undefined: what follows it is next. */
export function chosen(node: Node, step: Step): Node | undefined {
  const [value] = listOf(step.output['evaluationResult'] ?? step.output['caseOutput']);
  return caseOf(node, textOf(value));
}

function addCase(draft: Draft, reached: Reached, type: 'SWITCH' | 'DECISION'): Step {
  const id = draft.context.newId();
  const input = inputOf(draft, reached, id);
  return addStep(draft, reached, { id, type, name: type, status: 'IN_PROGRESS', input });
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

function refuse(draft: Draft, step: Step, reason: string): void {
  endStep(draft, step, 'FAILED', { reason });
}

function ownValue(input: JsonObject, name: string): unknown {
  return Object.hasOwn(input, name) ? input[name] : undefined;
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
