/** FORK_JOIN: its branches begin at once, and with them the JOIN that must follow. */

import type { Node } from '../compile.ts';
import { RunFailure } from '../draft.ts';
import { addStep, inputOf } from '../make-step.ts';
import type { Reached, StepType } from './step-type.ts';

export const fork: StepType = {
  begin(draft, reached) {
    const { node } = reached;
    const join = joinAfter(node, 'Fork task definition is not followed by a join task.  Check the blueprint');
    const id = draft.context.newId();
    const step = addStep(draft, reached, {
      id,
      type: 'FORK',
      name: 'FORK',
      status: 'COMPLETED',
      input: inputOf(draft, reached, id),
      // What follows it is decided here.
      executed: true,
    });
    const within = branchPlace(reached, step.id);
    draft.reach([...node.branches.map((first) => ({ ...within, node: first })), joinPlace(reached, join)]);
  },
};

/** The JOIN behind a fork. */
export function joinAfter(node: Node, otherwise: string): Node {
  if (node.next.type !== 'node' || node.next.node.definition.type !== 'JOIN') throw new RunFailure(otherwise);
  return node.next.node;
}

/** Inside a branch of the fork with this id. */
export function branchPlace(fork: Reached, stepId: string): Omit<Reached, 'node'> {
  return { suffix: fork.suffix, iteration: fork.iteration, parentStepId: stepId };
}

/** Behind the fork, where it is itself. */
export function joinPlace(fork: Reached, join: Node): Reached {
  return { node: join, suffix: fork.suffix, iteration: fork.iteration, parentStepId: fork.parentStepId };
}
