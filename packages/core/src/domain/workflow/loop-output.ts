/**
 * The output of a loop: `{"1": {ref: output}, "2": …, iteration}`, as Conductor has it. While it runs it is not kept, but
 * made from the steps when somebody asks: keeping it would write all iterations again with each.
 */

import type { Node } from './compile.ts';
import type { JsonObject } from './definition.ts';
import type { Step } from './run.ts';
import { nodeOf, type RunState } from './state.ts';
import { isTerminal } from './status.ts';

/** Where steps are found: a state, or a decision that is being made. */
export interface Steps {
  latest(ref: string): Step | undefined;
  nodeOf(step: Step): Node;
}

/** The whole output of a DO_WHILE, of any other step what its row says. */
export function loopOutput(state: RunState, step: Step): JsonObject {
  return outputOf({ latest: (ref) => state.latest.get(ref), nodeOf: (one) => nodeOf(state, one) }, step);
}

/** The same, of whatever knows steps. */
export function outputOf(steps: Steps, step: Step): JsonObject {
  if (!isRunningLoop(step)) return step.output;
  return { ...fromEntries(iterationsOf(steps, step)), ...step.output };
}

/** Its output is in its steps only. */
export function isRunningLoop(step: Step): boolean {
  return step.type === 'DO_WHILE' && !(isTerminal(step.status) && hasIterations(step.output));
}

/** One iteration: the outputs by reference name. undefined: there is none. */
export function iterationOutput(steps: Steps, step: Step, iteration: number): JsonObject | undefined {
  const entries: [string, unknown][] = [];
  for (const node of steps.nodeOf(step).inside) {
    const suffix = step.ref.slice(step.definition.taskReferenceName.length);
    const inner = steps.latest(`${node.ref}${suffix}__${iteration}`);
    if (inner !== undefined) entries.push([node.ref, outputOf(steps, inner)]);
  }
  return entries.length === 0 ? undefined : fromEntries(entries);
}

function iterationsOf(steps: Steps, step: Step): [string, unknown][] {
  const entries: [string, unknown][] = [];
  for (let iteration = 1; iteration <= step.iteration; iteration += 1) {
    const output = iterationOutput(steps, step, iteration);
    if (output !== undefined) entries.push([String(iteration), output]);
  }
  return entries;
}

function hasIterations(output: JsonObject): boolean {
  return Object.hasOwn(output, '1') || Object.keys(output).some((name) => /^\d+$/.test(name));
}

/** Own properties, whatever their names. */
function fromEntries(entries: [string, unknown][]): Record<string, unknown> {
  return Object.fromEntries(entries);
}
