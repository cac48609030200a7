/** A run that has ended is done again from one of its steps: what came after it is gone. Pure. */

import { nameOf, refusal } from './control.ts';
import type { DecideContext, Decision } from './decision.ts';
import type { JsonObject } from './definition.ts';
import type { Draft } from './draft.ts';
import { begin, follow } from './flow.ts';
import type { Step } from './run.ts';
import { awaitedRefs, isJoin, nodeOf, type RunState, suffixOf } from './state.ts';
import { hasEnded, isDone, isTerminal } from './status.ts';
import { forkedBranches } from './steps/dynamic-branches.ts';
import { branchReached } from './steps/dynamic-fork.ts';
import { beginAnew, carryOn, noFailures, reopened, waitAgain } from './try-again.ts';

/** What is other than it was. */
export interface RerunOptions {
  readonly runInput?: JsonObject | undefined;
  readonly correlationId?: string | undefined;
  /** In place of the input of the step. */
  readonly stepInput?: JsonObject | undefined;
}

/**
 * All of it again, with the same id. @throws RUN_STATE where it has not ended
 */
export function rerunAll(state: RunState, options: RerunOptions, context: DecideContext): Decision {
  demandEnded(state);
  const { runInput: input, correlationId } = options;
  return beginAnew(state, { input, correlationId, forgetsFailures: true }, context);
}

/**
 * Again from a step, which keeps its id: steps with a greater number are gone, and those of other branches among them begin
 * anew.
 *
 * @param step of this run
 * @throws RUN_STATE where it has not ended
 */
export function rerunFrom(
  state: RunState,
  step: Step,
  options: RerunOptions,
  context: DecideContext,
): Decision {
  demandEnded(state);
  return again(state, step, options, context, (draft) => {
    const before = step.retriedStepId === undefined ? undefined : draft.byId(step.retriedStepId);
    const given = options.stepInput;
    draft.reach([
      {
        node: nodeOf(state, step),
        suffix: suffixOf(step),
        iteration: step.type === 'DO_WHILE' ? iterationAround(draft, step) : step.iteration,
        parentStepId: step.parentStepId,
        delaySeconds: 0,
        ...(before === undefined ? {} : { retryOf: before }),
        ...(given === undefined ? {} : { input: given }),
      },
    ]);
  });
}

/** The run of one of its steps is done again: that step is in progress, and what came after it is gone. */
export function rerunAround(
  state: RunState,
  step: Step,
  options: RerunOptions,
  context: DecideContext,
): Decision {
  return again(state, step, options, context, undefined);
}

/** @param restart begins the step anew; undefined: it waits for its run */
function again(
  state: RunState,
  step: Step,
  options: RerunOptions,
  context: DecideContext,
  restart: ((draft: Draft) => void) | undefined,
): Decision {
  const run = {
    ...reopened(state.run, context),
    ...noFailures,
    ...(options.runInput === undefined ? {} : { input: options.runInput }),
    ...(options.correlationId === undefined ? {} : { correlationId: options.correlationId }),
  };
  const last = restart === undefined ? step.seq : step.seq - 1;
  const kept = [...state.steps.values()].filter(({ seq }) => seq <= last).sort((a, b) => a.seq - b.seq);
  const named = restart === undefined ? context : { ...context, newId: firstly(step.id, context.newId) };
  return carryOn(state, run, kept, named, (draft) => {
    if (restart === undefined) waitForRun(draft, step);
    else {
      restart(draft);
      // Before anything else asks for an id: the first one is that of the step.
      for (let next = draft.takeReached(); next !== undefined; next = draft.takeReached()) begin(draft, next);
    }
    reopenAround(draft, step);
    for (const each of kept) {
      const now = draft.step(each.seq);
      if (now === undefined || !isDone(now)) continue;
      if (now.type === 'FORK') reachBranches(draft, now);
      else follow(draft, now);
    }
  });
}

function waitForRun(draft: Draft, step: Step): void {
  const now = draft.step(step.seq);
  if (now === undefined || !isTerminal(now.status)) return;
  draft.change(now, {
    status: 'IN_PROGRESS',
    executed: false,
    endedAt: undefined,
    reason: undefined,
    startedAt: draft.now,
    output: now.subRunId === undefined ? {} : { subWorkflowId: now.subRunId },
  });
}

/** Loops in which the step lies are in its iteration again; joins wait for what is not done any more. */
function reopenAround(draft: Draft, step: Step): void {
  for (let id = step.parentStepId; id !== undefined; ) {
    const parent = draft.byId(id);
    if (parent === undefined) break;
    if (parent.type === 'DO_WHILE') {
      const [, iteration = '1'] = suffixOf(step).slice(suffixOf(parent).length).split('__');
      waitAgain(draft, parent, Number(iteration));
    }
    id = parent.parentStepId;
  }
  const joins = draft.allSteps().filter((each) => isJoin(each) && isTerminal(each.status) && !each.retried);
  for (let more = true; more; ) {
    more = false;
    for (const join of joins) {
      const now = draft.step(join.seq);
      if (now === undefined || !isTerminal(now.status) || !waitsFor(draft, now, step)) continue;
      waitAgain(draft, now);
      more = true;
    }
  }
}

function waitsFor(draft: Draft, join: Step, step: Step): boolean {
  const refs = awaitedRefs(join);
  if (join.type === 'EXCLUSIVE_JOIN') return refs.includes(step.ref);
  return refs.some((ref) => {
    const branch = draft.latest(ref);
    return branch === undefined || !isDone(branch);
  });
}

/** The JOIN of a fork and branches of which nothing is left begin anew. */
function reachBranches(draft: Draft, fork: Step): void {
  const { iteration, definition } = fork;
  const within = { suffix: suffixOf(fork), iteration, parentStepId: fork.id };
  const isGone = (ref: string): boolean => draft.latest(`${ref}${within.suffix}`) === undefined;
  const node = draft.nodeOf(fork);
  for (const first of node.branches) if (isGone(first.ref)) draft.reach([{ ...within, node: first }]);
  for (const branch of forkedBranches(fork.input)) {
    if (isGone(branch.taskReferenceName)) draft.reach([branchReached(draft, within, branch)]);
  }
  if (node.next.type !== 'node' || !isGone(node.next.node.ref)) return;
  const input = definition.type === 'FORK_JOIN_DYNAMIC' ? { joinOn: fork.input['forkedTasks'] } : undefined;
  draft.reach([
    {
      ...within,
      node: node.next.node,
      parentStepId: fork.parentStepId,
      ...(input === undefined ? {} : { input }),
    },
  ]);
}

/** Of a loop within a loop. */
function iterationAround(draft: Draft, loop: Step): number {
  const parent = loop.parentStepId === undefined ? undefined : draft.byId(loop.parentStepId);
  return parent?.iteration ?? 0;
}

function demandEnded(state: RunState): void {
  const { status } = state.run;
  if (!hasEnded(status)) {
    throw refusal(
      state,
      `Workflow: ${nameOf(state.run)}.${status} is not in terminal state, unable to rerun.`,
    );
  }
}

/** This one first, then others. */
function firstly(id: string, newId: () => string): () => string {
  let used = false;
  return () => {
    if (used) return newId();
    used = true;
    return id;
  };
}
