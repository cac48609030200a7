/** Runs that have ended and shall go on: restart from the beginning, retry of what has failed. Pure. */

import { conclude } from './decide.ts';
import type { DecideContext, Decision } from './decision.ts';
import type { JsonObject, WorkflowDefinition } from './definition.ts';
import { demandSize } from './document-size.ts';
import { Draft } from './draft.ts';
import { inLine } from './rate-limit.ts';
import { nameOf, refusal } from './refusal.ts';
import type { Run, Step } from './run.ts';
import { attemptAgain } from './settle.ts';
import { type RunState, readState } from './state.ts';
import { goesOn, hasEnded, isUnsuccessful } from './status.ts';
import { isWaiter, waitAgainAll } from './wait-again.ts';

/** What is other than it was, of a run that begins anew. */
export interface Anew {
  /** Default: the one that it has. */
  readonly definition?: WorkflowDefinition | undefined;
  readonly input?: JsonObject | undefined;
  readonly correlationId?: string | undefined;
  /** Default false: which steps have failed in it is remembered. */
  readonly forgetsFailures?: boolean;
}

/**
 * From the beginning, with the same id and input: all steps are gone.
 *
 * @throws RUN_STATE where it has not ended, or is complete and must not be restarted (`restartable: false`)
 */
export function restart(
  state: RunState,
  definition: WorkflowDefinition | undefined,
  context: DecideContext,
): Decision {
  const { status } = state.run;
  if (!hasEnded(status)) {
    throw refusal(
      state,
      `Workflow: ${nameOf(state.run)}.${status} is not in terminal state, unable to restart.`,
    );
  }
  const { restartable = true } = definition ?? state.run.definition;
  if (!restartable && status === 'COMPLETED') {
    throw refusal(state, `Workflow: ${nameOf(state.run)}.${status} is non-restartable`);
  }
  return beginAnew(state, { definition }, context);
}

/** Nothing has failed yet. */
export const noFailures = { failedRefs: [], failedNames: [] } as const;

/** Without steps, from the first one. */
export function beginAnew(state: RunState, anew: Anew, context: DecideContext): Decision {
  const definition = anew.definition ?? state.run.definition;
  demandSize(anew.input ?? {}, context.limits.documents.runInput, { run: state.run.id });
  const run: Run = {
    ...reopened(state.run, context),
    definition,
    variables: definition.variables ?? {},
    ...(anew.input === undefined ? {} : { input: anew.input }),
    ...(anew.correlationId === undefined ? {} : { correlationId: anew.correlationId }),
    ...(anew.forgetsFailures === true ? noFailures : {}),
  };
  return carryOn(state, { ...run, limited: inLine(run) }, [], context);
}

/**
 * The last attempt of each step that failed, timed out or was cancelled gets another; joins and loops go on waiting.
 *
 * @throws RUN_STATE where it has not ended, or nothing can be tried again
 */
export function retry(state: RunState, context: DecideContext): Decision {
  const { status } = state.run;
  if (!hasEnded(status)) throw refusal(state, `Workflow is still running.  status=${status}`);
  if (state.steps.size === 0 && status !== 'TIMED_OUT') throw refusal(state, 'Workflow has not started yet');
  const failed = retriable(state);
  // A run whose own time was over may have no step that failed.
  if (failed.length === 0 && status !== 'TIMED_OUT') {
    throw refusal(
      state,
      'There are no retryable tasks! Use restart if you want to attempt entire workflow execution again.',
    );
  }
  const draft = new Draft(state, context);
  draft.setRun({ ...reopened(state.run, context), limited: inLine(state.run, { type: 'retry' }) });
  return conclude(draft, () => {
    if (goesOn(draft.run)) tryFailed(draft);
  });
}

/** What has failed gets another attempt. */
export function tryFailed(draft: Draft): void {
  const failed = retriable(draft.state);
  // First what they wait for. What is reached last begins first.
  for (const step of failed.toReversed()) if (!isWaiter(step)) attemptAgain(draft, step);
  waitAgainAll(draft, failed.filter(isWaiter));
}

/** Steps that ended badly and have no later attempt, in their order. */
function retriable(state: RunState): Step[] {
  return [...state.unsuccessful]
    .flatMap((seq) => state.steps.get(seq) ?? [])
    .filter((step) => !step.retried && isUnsuccessful(step.status) && state.latest.get(step.ref) === step)
    .sort((a, b) => a.seq - b.seq);
}

/** As a run is that goes on after its end; which steps have failed in it is remembered. */
export function reopened(run: Run, context: DecideContext): Run {
  return {
    ...run,
    status: 'RUNNING',
    output: {},
    reason: undefined,
    endedAt: undefined,
    lastRetriedAt: context.now,
    updatedAt: context.now,
  };
}

/**
 * Goes on with these steps alone: all others are gone. `act` begins what is to begin.
 *
 * @param run as it is from now on
 */
export function carryOn(
  state: RunState,
  run: Run,
  kept: readonly Step[],
  context: DecideContext,
  act: (draft: Draft) => void = () => {},
): Decision {
  const draft = new Draft(readState(run, kept), context);
  draft.setRun({});
  const decision = conclude(draft, () => act(draft));
  const here = new Set([...kept, ...decision.steps].map(({ seq }) => seq));
  const removed = [...state.steps.keys()].filter((seq) => !here.has(seq));
  const gone = removed.flatMap((seq) => state.steps.get(seq) ?? []);
  return {
    ...decision,
    removed: [...removed, ...decision.removed],
    // Nobody is to do them any more; that of a step which keeps its id is made anew.
    withdrawn: [
      ...decision.withdrawn,
      ...gone.filter((step) => state.open.has(step.seq)).map(({ id }) => id),
    ],
  };
}
