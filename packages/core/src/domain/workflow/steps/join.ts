/** JOIN and EXCLUSIVE_JOIN: decided when the last step that they wait for is done, never by asking again and again. */

import { branchOutputs, outputOf } from '../gathered-output.ts';
import { addStep, endStep, inputOf } from '../make-step.ts';
import type { Step, StepStatus } from '../run.ts';
import { awaitedRefs, suffixOf } from '../state.ts';
import { isTerminal, isUnsuccessful } from '../status.ts';
import type { StepType } from './step-type.ts';

export const join: StepType = {
  begin(draft, reached) {
    const id = draft.context.newId();
    // A dynamic fork gives its branches, in place of what the definition names.
    const { joinOn = [] } = reached.node.definition;
    const input = { ...inputOf(draft, { ...reached, input: {} }, id), joinOn, ...reached.input };
    const step = addStep(draft, reached, { id, type: 'JOIN', name: 'JOIN', status: 'IN_PROGRESS', input });
    join.look?.(draft, step);
  },
  look(draft, step) {
    if (draft.joins.waitingCount(step.seq) > 0) return;
    const branches = awaitedRefs(step).flatMap((ref) => draft.latest(ref) ?? []);
    const failed = branches.filter((branch) => isUnsuccessful(branch.status) && !isOptional(branch));
    endStep(draft, step, statusOf(branches, failed), {
      output: branchOutputs(branches, draft),
      reason: reasonOf(branches, failed),
    });
  },
};

export const exclusiveJoin: StepType = {
  begin(draft, reached) {
    const id = draft.context.newId();
    const { joinOn = [], defaultExclusiveJoinTask } = reached.node.definition;
    const input = {
      ...inputOf(draft, reached, id),
      joinOn,
      ...(defaultExclusiveJoinTask === undefined ? {} : { defaultExclusiveJoinTask }),
    };
    const type = 'EXCLUSIVE_JOIN';
    const step = addStep(draft, reached, { id, type, name: type, status: 'IN_PROGRESS', input });
    exclusiveJoin.look?.(draft, step);
  },
  /** The first of `joinOn` that there is and was not skipped, else the first such of the default ones. */
  look(draft, step) {
    const suffix = suffixOf(step);
    const find = (name: 'joinOn' | 'defaultExclusiveJoinTask'): Step | undefined => {
      for (const ref of listOf(step.input[name])) {
        const found = draft.latest(`${ref}${suffix}`);
        if (found !== undefined && found.status !== 'SKIPPED') return found;
      }
      return undefined;
    };
    const taken = find('joinOn') ?? find('defaultExclusiveJoinTask');
    if (taken === undefined || !isTerminal(taken.status) || taken.retried || !taken.executed) return;
    const failed = isUnsuccessful(taken.status) && !isOptional(taken);
    endStep(draft, step, failed ? 'FAILED' : 'COMPLETED', {
      output: failed ? {} : outputOf(draft, taken),
      reason: failed ? `${taken.reason ?? ''} ` : undefined,
    });
  },
};

/** Why it did not end well: what the branches said that did not, or which of them may fail and did. */
function reasonOf(branches: readonly Step[], failed: readonly Step[]): string | undefined {
  if (failed.length > 0)
    return branches
      .filter((branch) => isUnsuccessful(branch.status))
      .flatMap((branch) => branch.reason ?? [])
      .join(' ');
  const withErrors = branches.filter((branch) => branch.status === 'COMPLETED_WITH_ERRORS');
  if (withErrors.length === 0) return undefined;
  return `${withErrors.map((branch) => `${branch.name}/${branch.id} `).join('')}completed with errors`;
}

function statusOf(branches: readonly Step[], failed: readonly Step[]): StepStatus {
  if (failed.length > 0)
    return failed.every((branch) => branch.status === 'CANCELED') ? 'CANCELED' : 'FAILED';
  return branches.some((branch) => branch.status === 'COMPLETED_WITH_ERRORS')
    ? 'COMPLETED_WITH_ERRORS'
    : 'COMPLETED';
}

function isOptional(step: Step): boolean {
  return step.definition.optional === true;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
