/** FORK_JOIN_DYNAMIC: its branches come with its input. All of them begin in one decision. */

import { compile } from '../compile.ts';
import type { StepDefinition } from '../definition.ts';
import { type Draft, RunFailure } from '../draft.ts';
import { addStep, inputOf } from '../make-step.ts';
import { dynamicBranch } from '../state.ts';
import { dynamicBranches, forkInput } from './dynamic-branches.ts';
import { branchPlace, joinAfter, joinPlace } from './fork.ts';
import type { Reached, StepType } from './step-type.ts';

export const dynamicFork: StepType = {
  begin(draft, reached) {
    const { node } = reached;
    const join = joinAfter(
      node,
      'Dynamic join definition is not followed by a join task.  Check the blueprint',
    );
    const id = draft.context.newId();
    const resolved = inputOf(draft, reached, id);
    const branches = dynamicBranches(node.definition, resolved);
    if (typeof branches === 'string') throw new RunFailure(branches);
    const refs = branches.map((branch) => branch.taskReferenceName);
    refuseKnownRefs(draft, reached, refs);
    const step = addStep(draft, reached, {
      id,
      type: 'FORK',
      name: 'FORK',
      status: 'COMPLETED',
      input: forkInput(resolved, branches),
      executed: true,
    });
    const within = branchPlace(reached, step.id);
    draft.reach([
      ...branches.map((branch) => branchReached(draft, within, branch)),
      { ...joinPlace(reached, join), input: { joinOn: refs } },
    ]);
  },
};

/** A branch that is to begin. */
export function branchReached(draft: Draft, within: Omit<Reached, 'node'>, branch: StepDefinition): Reached {
  const definition = withTask(draft, branch);
  const { root, byRef } = dynamicBranch(definition, within.suffix);
  draft.addNodes(byRef);
  return { ...within, node: root };
}

/** A task definition that is registered now counts for the branch, as those of the start do for other steps. */
function withTask(draft: Draft, definition: StepDefinition): StepDefinition {
  if (definition.taskDefinition !== undefined && definition.taskDefinition !== null) return definition;
  const taskDefinition = draft.context.taskOf(definition.name);
  return taskDefinition === undefined ? definition : { ...definition, taskDefinition };
}

/** A branch with the name of another step would be taken for it. */
function refuseKnownRefs(draft: Draft, reached: Reached, refs: readonly string[]): void {
  const { byRef } = compile(draft.run.definition);
  for (const ref of refs) {
    if (byRef.has(ref) || draft.latest(`${ref}${reached.suffix}`) !== undefined)
      throw new RunFailure(
        `Dynamic fork tasks must have unique reference names: ${ref} is another step of the run`,
      );
  }
}
