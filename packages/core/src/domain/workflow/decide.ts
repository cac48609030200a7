/**
 * What is to be done in a run, after what has happened to it. Pure: it reads a state and changes nothing; what it says is
 * written by others, and taken into the state by `applyDecision`. It can be asked again at any time, with the same events
 * too: what was already decided is not decided twice. What it costs is what changes, not what the run has.
 *
 * After Conductor's DeciderService (`docs/internals/workflows.md`).
 */

import { compile } from './compile.ts';
import { deadlineOf } from './deadlines.ts';
import type { DecideContext, Decision, RunEvent } from './decision.ts';
import { Draft, RunFailure } from './draft.ts';
import { completeRun, endRun } from './end-run.ts';
import { begin, look, proceed, within } from './flow.ts';
import type { Step } from './run.ts';
import { runStatusOf, settle } from './settle.ts';
import type { RunState } from './state.ts';
import { goesOn, hasEnded } from './status.ts';
import { typeOfStep } from './steps/registry.ts';
import { endStuck } from './stuck.ts';
import { takeEvent } from './take-event.ts';
import { runDeadline, runTimeoutReason, timeOut } from './timeouts.ts';

/**
 * Decides.
 *
 * @param state as it is kept; not changed
 * @param events what has happened since, in order; those that come too late, or a second time, change nothing
 * @returns what is to be written; nothing in it if nothing changes
 */
export function decide(state: RunState, events: readonly RunEvent[], context: DecideContext): Decision {
  const draft = new Draft(state, context);
  const act = () => {
    for (const event of events) takeEvent(draft, event);
    if (hasEnded(draft.run.status)) return;
    const late = runTimeoutReason(draft);
    if (late === undefined) takeTime(draft);
    else endRun(draft, 'TIMED_OUT', late, undefined);
  };
  // Without news, as after a pause, whatever waits inside the run is looked at too.
  const told = events.some((event) => event.type !== 'time');
  return conclude(draft, act, told);
}

/**
 * Goes on from what was changed in a draft, as far as it goes.
 *
 * @param act what is done first; where it finds that the run can't go on, that ends the run
 * @param told whether there is news: without, whatever waits inside the run is looked at too. Default false.
 */
export function conclude(draft: Draft, act: () => void = () => {}, told = false): Decision {
  guarded(draft, act);
  guarded(draft, () => advance(draft, told));
  return decisionOf(draft);
}

/** Does what may find that the run can't go on. */
function guarded(draft: Draft, action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof RunFailure)) throw error;
    endRun(draft, runStatusOf(error.step), error.message, error.step);
  }
}

/** Deadlines that have come. */
function takeTime(draft: Draft): void {
  for (const step of draft.dueSteps()) {
    if (timeOut(draft, step)) continue;
    if (step.dueAt !== undefined && step.dueAt <= draft.now)
      within(draft, step, () => typeOfStep(step).due?.(draft, step));
  }
}

/** Goes on from all that has ended, until there is nothing to do but wait. */
function advance(draft: Draft, told: boolean): void {
  if (!goesOn(draft.run)) return;
  draft.takeUndecided();
  if (!told) for (const seq of draft.state.passive) look(draft, seq);
  if (draft.isEmpty) enter(draft);
  if (hasEnded(draft.run.status)) return;
  for (;;) {
    for (let next = draft.takeReached(); next !== undefined; next = draft.takeReached()) begin(draft, next);
    if (draft.changes >= draft.context.limits.changesMax && draft.moreEnded) return;
    const step = draft.takeEnded();
    if (step === undefined && !endStuck(draft)) break;
    if (step !== undefined) settle(draft, step);
    if (draft.run.status !== 'RUNNING') return;
  }
  if (draft.openCount === 0) completeRun(draft);
}

/** The run begins. */
function enter(draft: Draft): void {
  const { first } = compile(draft.run.definition);
  if (first === undefined) endRun(draft, 'COMPLETED', 'No tasks found to be executed', undefined);
  else proceed(draft, { type: 'node', node: first }, { suffix: '', iteration: 0, parentStepId: undefined });
}

const nothing: readonly never[] = [];

function decisionOf(draft: Draft): Decision {
  const { state, run } = draft;
  const steps = inSequence(draft.changedSteps());
  return {
    run: run === state.run ? undefined : run,
    steps,
    removed: draft.removed.size === 0 ? nothing : [...draft.removed],
    jobs: [...draft.jobs.values()],
    withdrawn: draft.withdrawn.size === 0 ? nothing : [...draft.withdrawn],
    starts: draft.starts,
    terminates: draft.terminates,
    evaluations: draft.evaluations,
    messages: draft.messages,
    wakeAt: hasEnded(run.status) ? undefined : wakeAt(draft, steps),
    again: goesOn(run) && draft.moreEnded,
  };
}

/** Mostly they are in order, and mostly two: to sort them would cost more than to look. */
function inSequence(steps: Step[]): Step[] {
  const isSorted = steps.every((step, place) => place === 0 || (steps[place - 1]?.seq ?? 0) <= step.seq);
  return isSorted ? steps : steps.sort((a, b) => a.seq - b.seq);
}

function wakeAt(draft: Draft, steps: readonly Step[]): number | undefined {
  let first = earlier(runDeadline(draft.run), draft.unchangedDeadline());
  for (const step of steps) first = earlier(first, deadlineOf(step));
  return first;
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || (b !== undefined && b < a) ? b : a;
}
