/** Waits until a run has ended or waits for somebody, itself or in the runs of its steps: synchronous starts and signals. */

import { isLineshaftError, type RunView, type Step, type StepOfRun, type Workflows } from '@lineshaft/core';
import { isOver } from './given.ts';
import type { Standing } from './wire/signal-response.ts';
import { isTerminal } from './wire/workflow.ts';

export interface WaitOptions {
  /** References that count as blocking once they are over. */
  readonly refs: readonly string[];
  readonly timeoutMs: number;
  /** Nobody wants the answer any more. */
  readonly signal: AbortSignal;
}

/** Runs within runs deeper than this are not looked into. */
const depthMax = 20;

export async function standingOf(
  workflows: Workflows,
  runId: string,
  options: WaitOptions,
): Promise<Standing> {
  const end = performance.now() + options.timeoutMs;
  for (;;) {
    const target = await workflows.show(runId);
    const seen = await look(workflows, target, options.refs);
    const leftMs = end - performance.now();
    const settled = isTerminal(target.run) || seen.blocking.length > 0;
    if (settled || leftMs <= 0 || options.signal.aborted) {
      return { target, blocking: seen.blocking, blockingRun: seen.blockingRun, timedOut: !settled };
    }
    await anyChange(workflows, seen.unfinished, { timeoutMs: leftMs, signal: options.signal });
  }
}

interface Seen {
  readonly blocking: StepOfRun[];
  blockingRun: RunView | undefined;
  /** This run, and those of its steps that are not over. */
  readonly unfinished: RunView[];
}

async function look(workflows: Workflows, view: RunView, refs: readonly string[], depth = 0): Promise<Seen> {
  const seen: Seen = { blocking: [], blockingRun: undefined, unfinished: [view] };
  for (const step of view.steps) {
    if (isBlocking(step, refs)) {
      seen.blocking.push({ step, run: view.run });
      seen.blockingRun ??= view;
    }
    if (step.subRunId === undefined || isOver(step.status) || depth === depthMax) continue;
    const child = await showChild(workflows, step.subRunId);
    if (child === undefined) continue;
    const inner = await look(workflows, child, refs, depth + 1);
    seen.blocking.push(...inner.blocking);
    seen.blockingRun ??= inner.blockingRun;
    seen.unfinished.push(...inner.unfinished);
  }
  return seen;
}

/** A WAIT that no time ends, or a task that the caller named and that is over. */
function isBlocking(step: Step, refs: readonly string[]): boolean {
  if (step.type === 'WAIT' && !isOver(step.status) && step.dueAt === undefined) return true;
  return isOver(step.status) && refs.includes(step.ref);
}

/** It may have been removed meanwhile. */
async function showChild(workflows: Workflows, runId: string): Promise<RunView | undefined> {
  try {
    return await workflows.show(runId);
  } catch (error) {
    if (isLineshaftError(error, 'RUN_NOT_FOUND')) return undefined;
    throw error;
  }
}

/** Resolves when one of these runs is no more as it was seen, or the time is over. */
async function anyChange(
  workflows: Workflows,
  views: readonly RunView[],
  options: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<void> {
  const enough = new AbortController();
  const signal = AbortSignal.any([options.signal, enough.signal]);
  const changed = views.map(({ run: { id, revision } }) =>
    workflows.waitForRun(id, ({ run }) => run.revision !== revision, {
      timeoutMs: options.timeoutMs,
      signal,
    }),
  );
  try {
    await Promise.race(changed);
  } catch (error) {
    // A run that is removed has changed as well.
    if (!isLineshaftError(error, 'RUN_NOT_FOUND') && !signal.aborted) throw error;
  } finally {
    enough.abort();
    await Promise.allSettled(changed);
  }
}
