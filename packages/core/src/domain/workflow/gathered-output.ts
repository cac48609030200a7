/**
 * Outputs that come of other steps: that of a loop, `{"1": {ref: output}, "2": …, iteration}`, and that of a JOIN,
 * `{ref: output}`, as Conductor has them. While such a step waits it is not kept, but made from the others when somebody
 * asks: keeping it would write all of it again with each of them.
 */

import type { Node } from './compile.ts';
import type { JsonObject } from './definition.ts';
import type { Step } from './run.ts';
import { awaitedRefs, nodeOf, type RunState } from './state.ts';
import { isTerminal } from './status.ts';

/** Where steps are found: a state, or a decision that is being made. */
export interface Steps {
  latest(ref: string): Step | undefined;
  nodeOf(step: Step): Node;
}

/** The whole output of a step, as far as it has come; of most what its row says. */
export function wholeOutput(state: Pick<RunState, 'run' | 'latest' | 'dynamic'>, step: Step): JsonObject {
  return outputOf({ latest: (ref) => state.latest.get(ref), nodeOf: (one) => nodeOf(state, one) }, step);
}

/**
 * The same, of whatever knows steps.
 *
 * @param over the iteration in which a loop is has come to its end. Default: it has not, and is not told of yet
 */
export function outputOf(steps: Steps, step: Step, over = false): JsonObject {
  if (step.type === 'JOIN' && isGathered(step))
    return branchOutputs(
      awaitedRefs(step).flatMap((ref) => steps.latest(ref) ?? []),
      steps,
    );
  if (!isRunningLoop(step)) return step.output;
  return { ...fromEntries(iterationsOf(steps, step, over)), ...step.output };
}

/** The outputs of branches by their refs; those without any are not named. */
export function branchOutputs(branches: readonly Step[], steps: Steps): JsonObject {
  return fromEntries(
    branches
      .map((branch): [string, JsonObject] => [branch.ref, outputOf(steps, branch)])
      .filter(([, output]) => Object.keys(output).length > 0),
  );
}

/** Its output is in other steps only. */
export function isGathered(step: Pick<Step, 'type' | 'status'>): boolean {
  return (step.type === 'DO_WHILE' || step.type === 'JOIN') && !isTerminal(step.status);
}

export function isRunningLoop(step: Step): boolean {
  return step.type === 'DO_WHILE' && isGathered(step);
}

/** One iteration: the outputs by reference name. undefined: there is none. `over` as above. */
export function iterationOutput(
  steps: Steps,
  step: Step,
  iteration: number,
  over = false,
): JsonObject | undefined {
  if (!over && iteration >= step.iteration) return undefined;
  const suffix = step.ref.slice(step.definition.taskReferenceName.length);
  const entries: [string, unknown][] = [];
  for (const node of steps.nodeOf(step).inside) {
    const inner = steps.latest(`${node.ref}${suffix}__${iteration}`);
    if (inner !== undefined) entries.push([node.ref, outputOf(steps, inner)]);
  }
  return entries.length === 0 ? undefined : fromEntries(entries);
}

function iterationsOf(steps: Steps, step: Step, over: boolean): [string, unknown][] {
  const entries: [string, unknown][] = [];
  for (let iteration = 1; iteration <= step.iteration; iteration += 1) {
    const output = iterationOutput(steps, step, iteration, over);
    if (output !== undefined) entries.push([String(iteration), output]);
  }
  return entries;
}

/** Own properties, whatever their names. */
function fromEntries<Value>(entries: [string, Value][]): Record<string, Value> {
  return Object.fromEntries(entries);
}
