/**
 * Runs a workflow in memory, with outcomes that are given in place of workers (Conductor's WorkflowTestService): operators,
 * scripts and sub-workflows run for real, and nothing is written, so that no worker can take a step of it. It stops at the
 * end of the run, where an outcome is missing, after 20,000 rounds or 30 seconds.
 */

import { decide } from '../domain/workflow/decide.ts';
import type { DecideContext, Decision, Evaluation, RunEvent, RunStart } from '../domain/workflow/decision.ts';
import { wholeOutput } from '../domain/workflow/gathered-output.ts';
import type { Run, StartRequest, Step } from '../domain/workflow/run.ts';
import { applyDecision, applyRows, type RunState, stepsOf } from '../domain/workflow/state.ts';
import { hasEnded } from '../domain/workflow/status.ts';
import type { Evaluator } from './evaluator.ts';
import type { RunView } from './port.ts';
import type { Rehearsal, RehearsedOutcome } from './port-books.ts';
import type { RunStarter } from './run-starter.ts';

/** Rounds of one run; each gives all outcomes that are due. */
const roundsMax = 20_000;
const timeMaxMs = 30_000;
/** Steps of one run. */
const stepsMax = 100_000;
/** Runs within runs. */
const depthMax = 20;

export interface RehearserParts {
  readonly starter: RunStarter;
  readonly evaluator: Evaluator;
  readonly context: () => Promise<DecideContext>;
  /** Makes definitions of tasks known that a decision may ask for. */
  readonly prepare: (states: readonly RunState[], starting: readonly StartRequest[]) => Promise<void>;
}

/** @throws LineshaftError WORKFLOW_NOT_FOUND, DEFINITION_INVALID, OPTION_INVALID */
export async function rehearse(parts: RehearserParts, rehearsal: Rehearsal): Promise<RunView> {
  const context = await parts.context();
  await parts.starter.refresh();
  const runId = context.newId();
  const { state } = await new RehearsedRun(parts, rehearsal, 0).run(runId, undefined);
  const steps = stepsOf(state).map((step) => ({ ...step, output: wholeOutput(state, step) }));
  return { run: state.run, steps };
}

class RehearsedRun {
  private readonly parts: RehearserParts;
  private readonly rehearsal: Rehearsal;
  private readonly depth: number;
  /** How many outcomes of a ref were given. */
  private readonly given = new Map<string, number>();
  private readonly evaluations: Evaluation[] = [];
  private readonly starts: RunStart[] = [];
  private again = false;

  constructor(parts: RehearserParts, rehearsal: Rehearsal, depth: number) {
    this.parts = parts;
    this.rehearsal = rehearsal;
    this.depth = depth;
  }

  /** To its end, or as far as it comes. */
  async run(runId: string, parent: Run['parent']): Promise<{ readonly state: RunState }> {
    const { parts, rehearsal } = this;
    const begun = await parts.starter.begin(rehearsal.start, {
      runId,
      parent,
      context: await this.context(),
      // It is written nowhere, so it takes no room.
      unlimited: true,
    });
    const { state, merged } = begun;
    this.evaluations.push(...merged.evaluations);
    this.starts.push(...merged.starts);
    this.again = merged.again;
    const untilMs = state.run.createdAt + timeMaxMs;
    for (let round = 0; round < roundsMax && state.steps.size < stepsMax; round += 1) {
      const context = await this.context();
      if (hasEnded(state.run.status) || context.now > untilMs) break;
      await this.parts.prepare([state], []);
      const events = [...(await this.evaluated()), ...(await this.started(state)), ...this.outcomes(state)];
      if (events.length === 0 && !this.again) break;
      this.take(state, decide(state, events, context));
      // Others want to be heard as well.
      if (round % 50 === 49) await new Promise<void>((resolve) => setImmediate(resolve));
    }
    return { state };
  }

  private async context(): Promise<DecideContext> {
    const context = await this.parts.context();
    return {
      ...context,
      limits: { ...context.limits, stepsMax: Math.min(context.limits.stepsMax, stepsMax) },
    };
  }

  private take(state: RunState, decision: Decision): void {
    applyDecision(state, decision);
    this.evaluations.push(...decision.evaluations);
    this.starts.push(...decision.starts);
    this.again = decision.again;
  }

  private async evaluated(): Promise<RunEvent[]> {
    const asked = this.evaluations.splice(0);
    if (asked.length === 0) return [];
    const results = await this.parts.evaluator.evaluate(asked);
    return results.flatMap((result, place): RunEvent[] => {
      const of = asked[place];
      return of === undefined ? [] : [{ type: 'evaluated', stepId: of.stepId, round: of.round, result }];
    });
  }

  /** Runs that steps start: those of SUB_WORKFLOW are rehearsed, unless outcomes of the step itself are given. */
  private async started(state: RunState): Promise<RunEvent[]> {
    const events: RunEvent[] = [];
    for (const { runId, stepId, attached, request } of this.starts.splice(0)) {
      const step = stepId === undefined ? undefined : state.byId.get(stepId);
      if (stepId === undefined || step === undefined) continue;
      if (!attached) events.push({ type: 'run-started', stepId, runId });
      if (!attached || this.outcomeOf(step) !== undefined) continue;
      if (this.depth >= depthMax) {
        events.push({ type: 'run-refused', stepId, reason: `more than ${depthMax} runs within runs` });
        continue;
      }
      const of = this.rehearsal.subWorkflows[step.ref] ?? { outcomes: {}, subWorkflows: {} };
      const inner = new RehearsedRun(this.parts, { ...of, start: request }, this.depth + 1);
      try {
        const child = await inner.run(runId, { runId: state.run.id, stepId });
        const { status, output, reason } = child.state.run;
        if (hasEnded(status)) events.push({ type: 'run-ended', stepId, runId, status, output, reason });
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        events.push({ type: 'run-refused', stepId, reason });
      }
    }
    return events;
  }

  /** An outcome for each open step that has one left. */
  private outcomes(state: RunState): RunEvent[] {
    const events: RunEvent[] = [];
    for (const seq of state.open) {
      const step = state.steps.get(seq);
      const outcome = step === undefined ? undefined : this.outcomeOf(step);
      if (step === undefined || outcome === undefined) continue;
      this.given.set(step.ref, (this.given.get(step.ref) ?? 0) + 1);
      events.push(reportOf(state, step, outcome));
    }
    return events;
  }

  private outcomeOf({ ref }: Step): RehearsedOutcome | undefined {
    const { outcomes } = this.rehearsal;
    return Object.hasOwn(outcomes, ref) ? outcomes[ref]?.[this.given.get(ref) ?? 0] : undefined;
  }
}

/** What a worker would report; with the times that it would have taken, the step was scheduled as long ago. */
function reportOf(state: RunState, step: Step, outcome: RehearsedOutcome): RunEvent {
  const { status = 'COMPLETED', output = {}, executionTime = 0, queueWaitTime = 0 } = outcome;
  const startedAt = step.updatedAt - executionTime;
  if (executionTime > 0 || queueWaitTime > 0) {
    applyRows(state, undefined, [{ ...step, scheduledAt: startedAt - queueWaitTime, startedAt }], []);
  }
  return { type: 'reported', stepId: step.id, status, output, startedAt };
}
