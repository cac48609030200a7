/**
 * The decisions about one run that are written together. Each is taken into the state at once, so that the next can be made
 * upon it; what was there before is remembered, and put back when the write does not come about.
 */

import { both, SmallMap } from '../domain/small-collections.ts';
import type { Decision, Evaluation, RunStart, StepJob } from '../domain/workflow/decision.ts';
import type { Run, Step } from '../domain/workflow/run.ts';
import { applyDecision, applyRows, type RunState } from '../domain/workflow/state.ts';

const none: ReadonlySet<never> = new Set<never>();
const nothing: readonly never[] = [];

export class MergedDecision {
  readonly state: RunState;
  /** The run as it was read. */
  readonly before: Run;
  evaluations: readonly Evaluation[] = nothing;
  terminates: Decision['terminates'] = nothing;
  /** Not taken up yet. */
  starts: readonly RunStart[] = nothing;
  wakeAt: number | undefined;
  again = false;
  private runChanged = false;
  private readonly changed = new SmallMap<number, Step>();
  private readonly made = new SmallMap<string, StepJob>();
  // Made where there is something to put in: there is one of this for each step that ends.
  private removedSeqs: Set<number> | undefined;
  private withdrawnIds: Set<string> | undefined;
  private readonly stepsBefore = new SmallMap<number, Step | undefined>();

  constructor(state: RunState) {
    this.state = state;
    this.before = state.run;
  }

  /** New and changed ones. */
  get steps(): Iterable<Step> {
    return this.changed.values();
  }

  get jobs(): Iterable<StepJob> {
    return this.made.values();
  }

  get hasJobs(): boolean {
    return this.made.size > 0;
  }

  get removed(): ReadonlySet<number> {
    return this.removedSeqs ?? none;
  }

  get withdrawn(): ReadonlySet<string> {
    return this.withdrawnIds ?? none;
  }

  /** Whether there is anything to write about the run. */
  get writes(): boolean {
    return (
      this.runChanged ||
      this.changed.size + this.removed.size + this.made.size + this.withdrawn.size + this.terminates.length >
        0
    );
  }

  take(decision: Decision): void {
    const { state } = this;
    for (const { seq } of decision.steps) this.remember(seq);
    for (const seq of decision.removed) this.remember(seq);
    applyDecision(state, decision);
    if (decision.run !== undefined) this.runChanged = true;
    for (const step of decision.steps) this.changed.set(step.seq, step);
    for (const seq of decision.removed) {
      this.changed.delete(seq);
      if (seq >= this.before.nextSeq) continue;
      this.removedSeqs ??= new Set();
      this.removedSeqs.add(seq);
    }
    for (const stepId of decision.withdrawn) {
      const made = this.made.get(stepId);
      this.made.delete(stepId);
      // A job that this very write would have made is not made.
      if (made !== undefined && !made.again) continue;
      this.withdrawnIds ??= new Set();
      this.withdrawnIds.add(stepId);
    }
    for (const job of decision.jobs) this.made.set(job.stepId, job);
    this.evaluations = both(this.evaluations, decision.evaluations);
    this.terminates = both(this.terminates, decision.terminates);
    this.starts = both(this.starts, decision.starts);
    this.wakeAt = decision.wakeAt;
    this.again = decision.again;
  }

  /** Runs that it starts, for who takes them up. */
  takeStarts(): readonly RunStart[] {
    const { starts } = this;
    this.starts = nothing;
    return starts;
  }

  /** As it was before the first of these decisions; undefined: it was not there. */
  stepBefore(seq: number): Step | undefined {
    return this.stepsBefore.has(seq) ? this.stepsBefore.get(seq) : this.state.steps.get(seq);
  }

  /** It is written: the state is of the next revision. */
  written(): void {
    const { state } = this;
    const revision = this.before.revision + 1;
    // One decision has brought it there; several count as one.
    if (state.run.revision !== revision) state.run = { ...state.run, revision };
  }

  /** It is not written: the state is what it was. */
  undo(): void {
    const back: Step[] = [];
    const gone: number[] = [];
    for (const [seq, step] of this.stepsBefore) {
      if (step === undefined) gone.push(seq);
      else back.push(step);
    }
    applyRows(this.state, this.before, back, gone);
    this.state.run = this.before;
    this.state.origins.clear();
  }

  private remember(seq: number): void {
    if (!this.stepsBefore.has(seq)) this.stepsBefore.set(seq, this.state.steps.get(seq));
  }
}
