/** DO_WHILE: does its steps again while a condition holds, or once for each item of a list. */

import type { Evaluated } from '../decision.ts';
import type { JsonObject } from '../definition.ts';
import type { Draft } from '../draft.ts';
import { outputOf } from '../gathered-output.ts';
import { addStep, endStep, inputOf } from '../make-step.ts';
import type { Step } from '../run.ts';
import { resolveIn, resolveInput } from '../scope.ts';
import { suffixOf } from '../state.ts';
import { goesOn, isDone, isTerminal, isUnsuccessful } from '../status.ts';
import { taskSettings } from '../task-settings.ts';
import { ask, isAsking } from './script.ts';
import type { StepType } from './step-type.ts';

export const doWhile: StepType = {
  begin(draft, reached) {
    const { definition, body } = reached.node;
    const id = draft.context.newId();
    const resolved = inputOf(draft, reached, id);
    const items =
      definition.items === undefined ? resolved['_items'] : resolveIn(draft, definition.items, id);
    const input = items === undefined ? resolved : { ...resolved, _items: items };
    const step = addStep(draft, reached, {
      id,
      type: 'DO_WHILE',
      name: definition.name,
      status: 'IN_PROGRESS',
      input,
      iteration: 0,
      output: { iteration: 0 },
    });
    if (items !== undefined && !Array.isArray(items)) {
      endStep(draft, step, 'FAILED_WITH_TERMINAL_ERROR', { reason: 'The items of the loop are not a list' });
    } else if (items?.length === 0 || body.length === 0) endStep(draft, step, 'COMPLETED');
    else iterate(draft, step, 1);
  },
  /** The last step of an iteration is done. */
  look(draft, step) {
    if (isTerminal(step.status) || isAsking(step) || !iterationIsOver(draft, step)) return;
    const failed = insideOf(draft, step).filter(
      (inner) => isUnsuccessful(inner.status) && inner.definition.optional !== true,
    );
    if (failed.length > 0) {
      const reason = failed.map((inner) => `${inner.reason ?? ''} `).join('');
      finish(draft, step, 'FAILED', reason);
      return;
    }
    const items = step.input['_items'];
    if (!Array.isArray(items)) askCondition(draft, step);
    else if (step.iteration < items.length) iterate(draft, step, step.iteration + 1);
    else finish(draft, step, 'COMPLETED', undefined);
  },
  evaluated(draft, step, result: Evaluated, round) {
    if (round !== step.iteration) return;
    // Nothing begins now; it is asked again when the run goes on.
    if (!goesOn(draft.run)) {
      draft.change(step, { dueAt: undefined });
      return;
    }
    if (!result.ok) {
      const reason = `Unable to evaluate condition ${step.definition.loopCondition}, exception ${result.message}`;
      finish(draft, step, 'FAILED_WITH_TERMINAL_ERROR', reason);
    } else if (holds(result.value)) iterate(draft, step, step.iteration + 1);
    else finish(draft, step, 'COMPLETED', undefined);
  },
  due: (draft, step) => askCondition(draft, step),
};

function iterate(draft: Draft, step: Step, iteration: number): void {
  const [first] = draft.nodeOf(step).body;
  if (first === undefined) return;
  const items = step.input['_items'];
  const item = Array.isArray(items) ? { loopItem: items[iteration - 1], loopIndex: iteration - 1 } : {};
  const changed = draft.change(step, { iteration, dueAt: undefined, output: { iteration, ...item } });
  keepLast(draft, changed);
  draft.reach([
    { node: first, suffix: `${suffixOf(changed)}__${iteration}`, iteration, parentStepId: changed.id },
  ]);
}

/** Forgets iterations that the definition does not want kept. */
function keepLast(draft: Draft, step: Step): void {
  const kept = Number(step.input['keepLastN']);
  if (!(kept > 0)) return;
  const oldest = step.iteration - Math.floor(kept);
  if (oldest < 1) return;
  const prefix = suffixOf(step);
  const forget = (parentId: string, all: boolean) => {
    for (const seq of draft.state.children.get(parentId) ?? []) {
      const inner = draft.step(seq);
      if (inner === undefined) continue;
      const iteration = Number(suffixOf(inner).slice(prefix.length).split('__')[1]);
      if (!all && iteration > oldest) continue;
      forget(inner.id, true);
      draft.remove(inner);
    }
  };
  forget(step.id, false);
}

function finish(
  draft: Draft,
  step: Step,
  status: 'COMPLETED' | 'FAILED' | 'FAILED_WITH_TERMINAL_ERROR',
  reason: string | undefined,
): void {
  endStep(draft, step, status, { output: outputOf(draft, step, true), reason });
}

/** Each step of the loop itself is done, and nothing inside it is still going on (Conductor's isIterationComplete). */
function iterationIsOver(draft: Draft, step: Step): boolean {
  const suffix = `${suffixOf(step)}__${step.iteration}`;
  // The last one first: where that is not done, the others need not be looked at.
  for (const node of draft.nodeOf(step).body.toReversed()) {
    const inner = draft.latest(`${node.ref}${suffix}`);
    if (inner === undefined || !isDone(inner)) return false;
  }
  return insideOf(draft, step).every((inner) => isDone(inner) && branchesAreDone(draft, inner));
}

/** What came at run time is not in the definition: a join may have waited for a SWITCH alone, not for what it chose. */
function branchesAreDone(draft: Draft, step: Step): boolean {
  if (step.type !== 'FORK') return true;
  return draft.childrenOf(step.id).every((child) => isSettled(child) && branchesAreDone(draft, child));
}

function isSettled(step: Step): boolean {
  return step.retried || isDone(step);
}

function insideOf(draft: Draft, step: Step): Step[] {
  const suffix = `${suffixOf(step)}__${step.iteration}`;
  return draft.nodeOf(step).inside.flatMap((node) => draft.latest(`${node.ref}${suffix}`) ?? []);
}

function askCondition(draft: Draft, step: Step): void {
  const expression = step.definition.loopCondition ?? 'false';
  ask(draft, step, {
    round: step.iteration,
    language: 'javascript',
    expression,
    body: false,
    input: conditionInput(draft, step, expression),
  });
}

/** `$` of a condition: the parameters, the loop's own output by its name, and the outputs inside by theirs. */
function conditionInput(draft: Draft, step: Step, expression: string): JsonObject {
  const { definition } = step;
  const parameters = resolveInput(draft, definition, taskSettings(definition), step.id);
  const inner = draft.nodeOf(step).inside.flatMap((node): [string, unknown][] => {
    const found = draft.named(node.ref);
    return found === undefined ? [] : [[node.ref, outputOf(draft, found)]];
  });
  const own = asksOnlyIteration(expression, definition.taskReferenceName)
    ? step.output
    : outputOf(draft, step, true);
  // With its `__N` too, where it lies in another loop.
  return Object.fromEntries([
    ...Object.entries(parameters),
    [step.ref, own],
    [definition.taskReferenceName, own],
    ...inner,
  ]);
}

/**
 * A condition that reads nothing of the loop's output but `iteration` (nearly all do) is not given the outputs of all
 * iterations, which would cost the square of their number.
 */
export function asksOnlyIteration(expression: string, ref: string): boolean {
  const reads = expression.match(/\$(?![\w$])/g)?.length ?? 0;
  const harmless = [
    ...expression.matchAll(/\$(?![\w$])\s*(?:\.\s*([A-Za-z_]\w*)|\[\s*(?:'([^'\\]*)'|"([^"\\]*)")\s*\])/g),
  ];
  if (harmless.length !== reads) return false;
  return harmless.every((match) => {
    if ((match[1] ?? match[2] ?? match[3]) !== ref) return true;
    const rest = expression.slice(match.index + match[0].length);
    return /^\s*(?:\.\s*iteration(?!\w)|\[\s*(?:'iteration'|"iteration")\s*\])/.test(rest);
  });
}

/** Whether what a condition came to means yes (Conductor's ScriptEvaluator.toBoolean). */
function holds(value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  return typeof value === 'number' ? value > 0 : String(value).toLowerCase() === 'true';
}
