/**
 * A run in which nothing can happen any more, since all that is open waits for steps that nobody will reach (a join on a
 * case that was not taken), does not wait for ever: it says so.
 */

import type { Draft } from './draft.ts';
import { look } from './flow.ts';
import { endStep } from './make-step.ts';
import { awaitedRefs, isJoin } from './state.ts';
import { isDone } from './status.ts';

/** Whether anything has changed. */
export function endStuck(draft: Draft): boolean {
  if (draft.openCount === 0 || draft.passiveCount !== draft.openCount) return false;
  const { changes } = draft;
  const open = draft.openSteps();
  for (const step of open) look(draft, step.seq);
  if (draft.changes !== changes) return true;
  const [first] = open.filter(isJoin).concat(open);
  if (first === undefined) return false;
  const missing = awaitedRefs(first).filter((ref) => {
    const awaited = draft.latest(ref);
    return awaited === undefined || !isDone(awaited);
  });
  endStep(draft, first, 'FAILED', {
    reason: `${first.ref} waits for steps that can't be reached any more: ${missing.slice(0, 20).join(', ')}`,
  });
  return true;
}
