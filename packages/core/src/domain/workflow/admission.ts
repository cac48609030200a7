/**
 * A run that stood in line for the limit of its workflow goes on: it begins, or does what was asked of it when it had ended.
 * Pure.
 */

import { conclude, decide } from './decide.ts';
import type { DecideContext, Decision } from './decision.ts';
import { Draft } from './draft.ts';
import { reopenOthers } from './reopen.ts';
import { rerunAdmitted } from './rerun.ts';
import type { RunState } from './state.ts';
import { hasEnded } from './status.ts';
import { tryFailed } from './try-again.ts';

/** Of a run that does not stand in line, or has ended: nothing changes. One that is paused has its place, and goes on later. */
export function admit(state: RunState, context: DecideContext): Decision {
  const { limited, status } = state.run;
  if (limited === undefined || !limited.waits || hasEnded(status)) return decide(state, [], context);
  if (status === 'RUNNING') return carryOut(state, context);
  const draft = new Draft(state, context);
  draft.setRun({ limited: { ...limited, waits: false } });
  return conclude(draft);
}

/** Does what the run stood in line for. */
export function carryOut(state: RunState, context: DecideContext): Decision {
  const { key = '', next } = state.run.limited ?? {};
  const limited = { key, waits: false };
  if (next?.type === 'rerun') return rerunAdmitted(state, next, limited, context);
  const draft = new Draft(state, context);
  draft.setRun({
    status: 'RUNNING',
    limited,
    // Its own time counts from now.
    ...(next === undefined ? {} : { lastRetriedAt: draft.now }),
  });
  return conclude(draft, () => {
    if (next?.type === 'retry') tryFailed(draft);
    else if (next?.type === 'reopen') reopenOthers(draft);
  });
}
