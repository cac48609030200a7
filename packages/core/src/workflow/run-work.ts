/** One run in a turn of `runs.ts`: what is asked of it, what was decided, and the change that is to be written of it. */

import type { RunEvent } from '../domain/workflow/decision.ts';
import type { Origins } from '../domain/workflow/origins.ts';
import type { Run, Step } from '../domain/workflow/run.ts';
import type { RunState } from '../domain/workflow/state.ts';
import type { KeptDefinition, RunChange } from './apply-values.ts';
import { MergedDecision } from './merged-decision.ts';
import type { Request } from './request.ts';

const leftToWorker = new Error('the job is left to its worker');
const nothing: readonly never[] = [];

export class RunWork implements RunChange {
  readonly state: RunState;
  readonly merged: MergedDecision;
  requests: readonly Request[];
  /** It does not exist yet. */
  readonly isNew: boolean;
  /** It was compared with the database in this turn. */
  readonly verified: boolean;
  kept: KeptDefinition | undefined;
  decided: readonly number[] = nothing;
  bytes = 0;
  payload = '';
  /** Runs that this one starts, written with it or not at all. */
  private children: RunWork[] | undefined;

  constructor(
    state: RunState,
    given: {
      readonly requests?: readonly Request[];
      readonly isNew?: boolean;
      /** Of a run that is new. */
      readonly kept?: KeptDefinition;
      readonly verified?: boolean;
    },
  ) {
    this.state = state;
    this.merged = new MergedDecision(state);
    this.requests = given.requests ?? nothing;
    this.isNew = given.isNew ?? false;
    this.kept = given.kept;
    this.verified = given.verified ?? this.isNew;
  }

  get runId(): string {
    return this.state.run.id;
  }

  get before(): Run | undefined {
    return this.isNew ? undefined : this.merged.before;
  }

  get after(): Run {
    return this.state.run;
  }

  get origins(): Origins {
    return this.state.origins;
  }

  get decision(): RunChange['decision'] {
    return this.isNew || this.merged.writes ? this.merged : undefined;
  }

  get refusable(): boolean {
    return this.requests.length > 0;
  }

  get tells(): RunChange['tells'] {
    const { parent } = this.state.run;
    const { terminates } = this.merged;
    const heard = parent === undefined ? undefined : this.parentHears;
    if (terminates.length === 0 && heard === undefined) return nothing;
    const tells: { runId: string; event: RunEvent }[] = terminates.map(({ runId, reason }) => ({
      runId,
      event: { type: 'terminate', reason },
    }));
    if (heard !== undefined && parent !== undefined) tells.push({ runId: parent.runId, event: heard });
    return tells;
  }

  stepBefore(seq: number): Step | undefined {
    return this.merged.stepBefore(seq);
  }

  begins(child: RunWork): void {
    this.children ??= [];
    this.children.push(child);
  }

  /** Runs that it begins, which may begin others. */
  get begun(): readonly RunWork[] {
    return this.children ?? nothing;
  }

  /** Where it goes on with another definition, that is to be kept. */
  keepDefinition(keep: (run: Run) => KeptDefinition): void {
    const { run } = this.state;
    if (!this.isNew && run.definition !== this.merged.before.definition) this.kept = keep(run);
  }

  /** Jobs that were to end in this write are left to their workers, who end them by themselves. */
  leaveEndings(): void {
    for (const request of this.requests) if (request.ending !== undefined) request.reject(leftToWorker);
    this.requests = this.requests.filter(({ ending }) => ending === undefined);
  }

  /** The parent hears of the end of a run, and when one that had ended goes on. */
  get parentHears(): RunEvent | undefined {
    const { before } = this.merged;
    const { run } = this.state;
    if (run.parent === undefined) return undefined;
    const { stepId } = run.parent;
    const wasEnded = !this.isNew && before.endedAt !== undefined;
    if (wasEnded && run.endedAt === undefined) return { type: 'run-reopened', stepId, runId: run.id };
    if (run.endedAt === undefined || wasEnded) return undefined;
    const { status, output, reason } = run;
    return { type: 'run-ended', stepId, runId: run.id, status, output, reason };
  }
}

/** These, and the runs that they start, and theirs. */
export function withBegun(works: readonly RunWork[]): readonly RunWork[] {
  if (works.every(({ begun }) => begun.length === 0)) return works;
  return works.flatMap((work) => [work, ...withBegun(work.begun)]);
}
