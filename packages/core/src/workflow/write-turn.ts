/**
 * Writes what was decided about many runs in one turn: as few statements as may be, each all or nothing. Where others were
 * faster, or the database refuses one of them, the rest is written without it.
 */

import { isLineshaftError, LineshaftError } from '../domain/errors.ts';
import type { Evaluation, StepJob } from '../domain/workflow/decision.ts';
import { noRoom } from '../domain/workflow/rate-limit.ts';
import type { Run } from '../domain/workflow/run.ts';
import type { RunState } from '../domain/workflow/state.ts';
import { hasEnded } from '../domain/workflow/status.ts';
import type { KeptDefinition } from './apply-values.ts';
import type { ClaimBeside, ClaimsBeside, StepsOf } from './claim-beside.ts';
import { keep } from './definition-book.ts';
import { Handing } from './handing.ts';
import type { OpenSteps } from './open-steps.ts';
import type { RunCache } from './run-cache.ts';
import type { RunStore, Unwritten } from './run-store.ts';
import { type RunWork, withBegun } from './run-work.ts';
import { slotChange } from './slot-change.ts';

export interface TurnHost extends ClaimsBeside {
  readonly store: RunStore;
  readonly cache: RunCache;
  readonly openSteps: OpenSteps;
  /** Scripts that a run waits for. */
  readonly evaluate: (runId: string, evaluations: readonly Evaluation[]) => void;
  /** Runs that have heard something from another run: somebody is to look at them. */
  readonly wake: (runIds: readonly string[]) => void;
  /** Runs have changed, and it is written. `wakeAt`: when the first of them is to be looked at by itself. */
  readonly onChanged: (runs: readonly Run[], wakeAt: number | undefined) => void;
  /** A run has asked for a place under the limit of its workflow, or given it back: one may have been admitted. */
  readonly onLines: () => void;
  /** Jobs that are written: somebody may wait for them. */
  readonly onJobs: (jobs: Iterable<StepJob>) => void;
  readonly onTrouble: (what: string, error: unknown) => void;
  /** The database refuses what was decided about a run that nobody asks about: it can't go on. */
  readonly onRefused: (runId: string, error: unknown) => void;
}

/** Runs in one statement. */
const runsMost = 500;

/** @returns those that are to be decided again, since others have changed their runs */
export async function writeTurn(host: TurnHost, works: readonly RunWork[]): Promise<RunWork[]> {
  const again: RunWork[] = [];
  const writing: RunWork[] = [];
  for (const work of works) {
    if (work.isNew || work.merged.writes) {
      writing.push(work);
      continue;
    }
    work.leaveEndings();
    // Nothing follows from what is in memory; that may be old.
    if (!work.verified) again.push(work);
    else if (work.decided.length > 0) writing.push(work);
    else settle(host, [work]);
  }
  for (let from = 0; from < writing.length; from += runsMost)
    await write(host, writing.slice(from, from + runsMost), again);
  return again;
}

/** @param alone without a claim beside it, and nothing is handed on: one of them has failed */
async function write(
  host: TurnHost,
  works: readonly RunWork[],
  again: RunWork[],
  alone = false,
): Promise<void> {
  let rest = works;
  while (rest.length > 0) {
    const changes = withBegun(rest);
    for (const change of changes) change.keepDefinition(keepThatOf);
    const beside = alone ? undefined : host.claimBeside(freed(changes));
    const handing = alone ? undefined : Handing.of(rest);
    let unwritten: Unwritten;
    try {
      unwritten = await host.store.apply(changes, beside, handing);
    } catch (error) {
      beside?.failed(error);
      handing?.failed();
      // Runs must not suffer from what is wrong with a claim, or a worker.
      if ((beside ?? handing) !== undefined && !isAway(error)) await write(host, rest, again, true);
      else await failed(host, rest, error, again);
      return;
    }
    // What follows takes as long as a turn.
    await host.store.sent();
    const { moved, refused } = unwritten;
    if (moved.length + refused.length === 0) {
      settle(host, rest, beside, handing);
      handing?.deliver();
      return;
    }
    beside?.failed(undefined);
    handing?.failed();
    const left = new Set([...moved, ...refused]);
    for (const work of rest) {
      if (!left.has(work.runId)) continue;
      if (refused.length > 0) refuse(work);
      undo(work, again);
    }
    rest = rest.filter((work) => !left.has(work.runId));
  }
}

function keepThatOf({ definition }: Run): KeptDefinition {
  return keep(definition);
}

/** What was decided is not written; what was asked for is to be decided again. */
function undo(work: RunWork, again: RunWork[]): void {
  work.merged.undo();
  work.leaveEndings();
  again.push(work);
}

/** There is no room for it: who asked for it hears so; what else is told to the run is tried again without it. */
function refuse(work: RunWork): void {
  const { run } = work.state;
  const error = new LineshaftError('RUN_LIMITED', {
    message: noRoom(run),
    details: { runId: run.id, name: run.definition.name },
  });
  const asked = work.requests.filter(({ decideWith }) => work.isNew || decideWith !== undefined);
  for (const request of asked) request.reject(error);
  work.requests = work.requests.filter((request) => !asked.includes(request));
}

/** Steps that become ready, and those whose ends make room for others of their kind. */
function* freed(works: readonly RunWork[]): Generator<StepsOf> {
  for (const { merged, state, requests } of works) {
    yield* merged.jobs;
    for (const stepId of merged.withdrawn) yield* stepsOf(state, stepId);
    for (const { ending } of requests) if (ending !== undefined) yield* stepsOf(state, ending.stepId);
  }
}

function stepsOf(state: RunState, stepId: string): readonly StepsOf[] {
  const step = state.byId.get(stepId);
  return step === undefined ? [] : [{ kind: step.type, domain: step.domain }];
}

async function failed(
  host: TurnHost,
  works: readonly RunWork[],
  error: unknown,
  again: RunWork[],
): Promise<void> {
  const away = isAway(error);
  const [only] = works;
  if (!away && only !== undefined && works.length === 1 && hasEndings(only)) {
    // It may be one of the jobs, which has moved on: their workers find out.
    undo(only, again);
    return;
  }
  if (away || works.length === 1) {
    for (const work of works) {
      // Whether it was written is not known where the answer was lost: what is in memory is worth nothing.
      host.cache.drop(work.runId);
      for (const request of work.requests) request.reject(error);
    }
    if (!away && only !== undefined && !only.isNew) host.onRefused(only.runId, error);
    return;
  }
  const middle = works.length >> 1;
  // Without what goes beside them: what the database refuses is sought.
  await write(host, works.slice(0, middle), again, true);
  await write(host, works.slice(middle), again, true);
}

function hasEndings(work: RunWork): boolean {
  return work.requests.some(({ ending }) => ending !== undefined);
}

function isAway(error: unknown): boolean {
  return isLineshaftError(error, 'DATABASE_UNAVAILABLE') || isLineshaftError(error, 'CLOSED');
}

/** What others are to hear of runs that are settled together. */
interface Heard {
  readonly jobs: StepJob[];
  readonly changed: Run[];
  readonly woken: string[];
  wakeAt: number | undefined;
  lines: boolean;
}

/** The runs are written, or there was nothing to write about them: tells whoever waits for them. */
function settle(host: TurnHost, works: readonly RunWork[], beside?: ClaimBeside, handing?: Handing): void {
  const heard: Heard = { jobs: [], changed: [], woken: [], wakeAt: undefined, lines: false };
  for (const work of withBegun(works)) {
    for (const { ending } of work.requests)
      if (ending !== undefined && ending.runId === undefined) host.openSteps.forget(ending.stepId);
    if (work.decision !== undefined) settleOne(host, work, heard, beside, handing);
  }
  if (heard.jobs.length > 0) host.onJobs(heard.jobs);
  if (heard.changed.length > 0) host.onChanged(heard.changed, heard.wakeAt);
  if (heard.woken.length > 0) host.wake(heard.woken);
  if (heard.lines) host.onLines();
  for (const { requests, state } of works) for (const request of requests) request.resolve(state.run);
}

/** A run that has changed. */
function settleOne(
  host: TurnHost,
  work: RunWork,
  heard: Heard,
  beside: ClaimBeside | undefined,
  handing: Handing | undefined,
): void {
  const { merged, state } = work;
  merged.written();
  const { runId, payload } = work;
  for (const job of merged.jobs) {
    if (handing?.hasTaken(job.stepId) === true) continue;
    if (!job.again) host.openSteps.add(job.stepId, { runId, payload, input: job.payload });
    if (beside?.covers(job) !== true) heard.jobs.push(job);
  }
  heard.changed.push(state.run);
  heard.lines ||= slotChange(work.isNew ? undefined : merged.before, state.run, false) !== undefined;
  if (merged.wakeAt !== undefined) heard.wakeAt = Math.min(merged.wakeAt, heard.wakeAt ?? merged.wakeAt);
  if (hasEnded(state.run.status)) host.cache.drop(work.runId);
  else host.cache.put(state, work.bytes);
  const { parent } = state.run;
  if (parent !== undefined && work.parentHears !== undefined) heard.woken.push(parent.runId);
  for (const { runId } of merged.terminates) heard.woken.push(runId);
  if (merged.evaluations.length > 0) host.evaluate(work.runId, merged.evaluations);
}
