/** A run that has ended is done again from one of its steps: what came after it is gone. Pure. */

import { countedFrom } from './deadlines.ts';
import { conclude } from './decide.ts';
import type { DecideContext, Decision } from './decision.ts';
import type { JsonObject } from './definition.ts';
import { demandSize } from './document-size.ts';
import { Draft } from './draft.ts';
import { begin, follow } from './flow.ts';
import { inLine } from './rate-limit.ts';
import { nameOf, refusal } from './refusal.ts';
import { reopenOthers } from './reopen.ts';
import type { Run, RunLimit, RunResumption, Step } from './run.ts';
import { awaitedRefs, isJoin, nodeOf, type RunState, suffixOf } from './state.ts';
import { hasEnded, isDone, isTerminal } from './status.ts';
import { forkedBranches } from './steps/dynamic-branches.ts';
import { branchReached } from './steps/dynamic-fork.ts';
import { beginAnew, carryOn, noFailures, reopened } from './try-again.ts';
import { waitAgain } from './wait-again.ts';

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
  const run = runAgain(state, options, context);
  const { stepInput } = options;
  const limited = inLine(run, { type: 'rerun', stepId: step.id, around: false, stepInput });
  if (limited !== undefined) return waitInLine(state, { ...run, limited }, context);
  return fromStep(state, { ...run, limited }, { step, stepInput }, context);
}

/** The run of one of its steps is done again: that step is in progress, and what came after it is gone. */
export function rerunAround(
  state: RunState,
  step: Step,
  options: RerunOptions,
  context: DecideContext,
): Decision {
  const run = runAgain(state, options, context);
  // It goes on already, since the run of its step does, and was admitted.
  const admitted = !hasEnded(state.run.status) && state.run.limited?.waits === false;
  const limited = admitted ? undefined : inLine(run, { type: 'rerun', stepId: step.id, around: true });
  if (limited !== undefined) return waitInLine(state, { ...run, limited }, context);
  return aroundStep(state, run, step, context);
}

/** What one of them was asked for, when the run has been admitted under its limit. */
export function rerunAdmitted(
  state: RunState,
  next: Extract<RunResumption, { type: 'rerun' }>,
  limited: RunLimit,
  context: DecideContext,
): Decision {
  const run = { ...reopened(state.run, context), limited };
  const step = state.byId.get(next.stepId);
  // Nothing takes steps away meanwhile; where it is gone all the same, the run goes on as it is.
  if (step === undefined) return carryOn(state, run, [...state.steps.values()], context);
  if (next.around) return aroundStep(state, run, step, context);
  return fromStep(state, run, { step, stepInput: next.stepInput }, context);
}

function runAgain(state: RunState, options: RerunOptions, context: DecideContext): Run {
  demandSize(options.runInput ?? {}, context.limits.documents.runInput, { run: state.run.id });
  demandSize(options.stepInput ?? {}, context.limits.documents.stepInput, { run: state.run.id });
  return {
    ...reopened(state.run, context),
    ...noFailures,
    ...(options.runInput === undefined ? {} : { input: options.runInput }),
    ...(options.correlationId === undefined ? {} : { correlationId: options.correlationId }),
  };
}

/** The run stands in line; its steps are as they were until it is admitted. */
function waitInLine(state: RunState, run: Run, context: DecideContext): Decision {
  const draft = new Draft(state, context);
  draft.setRun(run);
  return conclude(draft);
}

/** The step begins anew, with its id. */
function fromStep(
  state: RunState,
  run: Run,
  { step, stepInput }: { readonly step: Step; readonly stepInput: JsonObject | undefined },
  context: DecideContext,
): Decision {
  const kept = stepsUpTo(state, step.seq - 1);
  const named = { ...context, newId: firstly(step.id, context.newId) };
  return carryOn(state, run, kept, named, (draft) => {
    const before = step.retriedStepId === undefined ? undefined : draft.byId(step.retriedStepId);
    draft.reach([
      {
        node: nodeOf(state, step),
        suffix: suffixOf(step),
        iteration: step.type === 'DO_WHILE' ? iterationAround(draft, step) : step.iteration,
        parentStepId: step.parentStepId,
        delaySeconds: 0,
        isWanted: true,
        ...(before === undefined ? {} : { retryOf: before }),
        ...(stepInput === undefined ? {} : { input: stepInput }),
      },
    ]);
    // Before anything else asks for an id: the first one is that of the step.
    for (let next = draft.takeReached(); next !== undefined; next = draft.takeReached()) begin(draft, next);
    followKept(draft, step, kept);
  });
}

/** The step waits for its run. */
function aroundStep(state: RunState, run: Run, step: Step, context: DecideContext): Decision {
  const kept = stepsUpTo(state, step.seq);
  return carryOn(state, run, kept, context, (draft) => {
    waitForRun(draft, step);
    followKept(draft, step, kept);
  });
}

function stepsUpTo(state: RunState, last: number): Step[] {
  return [...state.steps.values()].filter(({ seq }) => seq <= last).sort((a, b) => a.seq - b.seq);
}

function followKept(draft: Draft, step: Step, kept: readonly Step[]): void {
  reopenOthers(draft);
  reopenAround(draft, step);
  for (const each of kept) {
    const now = draft.step(each.seq);
    if (now === undefined || !isDone(now)) continue;
    if (now.type === 'FORK') reachBranches(draft, now);
    else follow(draft, now);
  }
}

function waitForRun(draft: Draft, step: Step): void {
  const now = draft.step(step.seq);
  if (now === undefined || !isTerminal(now.status)) return;
  draft.change(now, {
    status: 'IN_PROGRESS',
    executed: false,
    endedAt: undefined,
    reason: undefined,
    ...countedFrom(draft.now),
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
