/** What steps with a script or a jq program have in common: they ask for a result, and wait for it. */

import type { Evaluation } from '../decision.ts';
import type { Draft } from '../draft.ts';
import type { Step } from '../run.ts';

/** How long a result may be away before it is asked for again: whoever was asked may have died. */
const evaluationMs = 15_000;

/** A script: of whose text, with what as `$` (in jq `.`). */
export type Script = Pick<Evaluation, 'language' | 'expression' | 'body' | 'input'> & { round?: number };

/** Asks for the result of a script; `evaluated` of the step's type gets it. */
export function ask(draft: Draft, step: Step, script: Script): void {
  draft.change(step, { dueAt: draft.now + evaluationMs });
  draft.evaluations.push({ stepId: step.id, round: 0, ...script });
}

/** It waits for a result. */
export function isAsking(step: Step): boolean {
  return step.dueAt !== undefined;
}
