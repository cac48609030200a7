/** One run in a turn of `runs.ts`: what is asked of it, what was decided, and the change that is to be written of it. */

import type { DecideContext, Decision, RunEvent } from '../domain/workflow/decision.ts';
import type { Run } from '../domain/workflow/run.ts';
import type { RunState } from '../domain/workflow/state.ts';
import type { EndingJob, KeptDefinition, RunChange } from './apply-values.ts';
import { MergedDecision } from './merged-decision.ts';
import type { StepTaker } from './step-runs.ts';

/** Decides about a run as it is at this moment; throws where what was asked for can't be done. */
export type DecideWith = (state: RunState, context: DecideContext) => Decision;

/** What somebody wants of a run. */
export interface Request {
  readonly runId: string;
  /** What has happened to it; undefined: `decideWith` is asked. */
  readonly events: readonly RunEvent[];
  readonly decideWith: DecideWith | undefined;
  /** Marks that say the events. */
  readonly marks: readonly number[];
  /** The job whose end this tells: it ends in the same write, or is left to its worker. */
  readonly ending: EndingJob | undefined;
  /** May be given what follows on that job. */
  readonly taker: StepTaker | undefined;
  /** What is in memory may be older than what the database has, and must not be relied on. */
  verify: boolean;
  /** How often others were faster. */
  tries: number;
  readonly resolve: (run: Run) => void;
  readonly reject: (error: unknown) => void;
}

const leftToWorker = new Error('the job is left to its worker');

export class RunWork {
  readonly state: RunState;
  readonly merged: MergedDecision;
  readonly requests: Request[];
  /** Marks that were decided on. */
  readonly marks: number[] = [];
  /** It does not exist yet. */
  readonly isNew: boolean;
  /** Of a run that is new. */
  readonly kept: KeptDefinition | undefined;
  /** Runs that this one starts, written with it or not at all. */
  readonly children: RunWork[] = [];
  private readonly alone: readonly RunWork[] = [this];
  /** It was compared with the database in this turn. */
  readonly verified: boolean;
  /** Of the documents that were written last. */
  bytes = 0;
  /** Of the jobs that were written last. */
  payload = '';

  constructor(
    state: RunState,
    given: {
      readonly requests?: Request[];
      readonly isNew?: boolean;
      readonly kept?: KeptDefinition;
      readonly verified?: boolean;
    },
  ) {
    this.state = state;
    this.merged = new MergedDecision(state);
    this.requests = given.requests ?? [];
    this.isNew = given.isNew ?? false;
    this.kept = given.kept;
    this.verified = given.verified ?? this.isNew;
  }

  get runId(): string {
    return this.state.run.id;
  }

  /** It and the runs that it starts, and theirs. */
  get family(): readonly RunWork[] {
    return this.children.length === 0
      ? this.alone
      : [this, ...this.children.flatMap((child) => child.family)];
  }

  /** What is to be written of it. @param keepNew makes what is kept of a definition that the run did not have before */
  change(keepNew: (run: Run) => KeptDefinition): RunChange {
    const { merged, state } = this;
    const { before } = merged;
    const redefined = !this.isNew && state.run.definition !== before.definition;
    return {
      before: this.isNew ? undefined : before,
      after: state.run,
      origins: state.origins,
      stepBefore: (seq) => merged.stepBefore(seq),
      decision: this.isNew || merged.writes ? this.written() : undefined,
      decided: this.marks,
      tells: this.tells(),
      kept: redefined ? keepNew(state.run) : this.kept,
      endings: this.requests.flatMap(({ ending }) => ending ?? []),
      refusable: this.requests.length > 0,
      onSize: (bytes) => {
        this.bytes = bytes;
      },
      onJobs: (payload) => {
        this.payload = payload;
      },
    };
  }

  /** Jobs that were to end in this write are left to their workers, who end them by themselves. */
  leaveEndings(): void {
    for (const { ending, reject } of this.requests) if (ending !== undefined) reject(leftToWorker);
    const rest = this.requests.filter(({ ending }) => ending === undefined);
    this.requests.splice(0, this.requests.length, ...rest);
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

  private tells(): RunChange['tells'] {
    const tells: { runId: string; event: RunEvent }[] = this.merged.terminates.map(({ runId, reason }) => ({
      runId,
      event: { type: 'terminate', reason },
    }));
    const heard = this.parentHears;
    const parent = this.state.run.parent;
    if (heard !== undefined && parent !== undefined) tells.push({ runId: parent.runId, event: heard });
    return tells;
  }

  private written(): NonNullable<RunChange['decision']> {
    const { steps, removed, jobs, withdrawn, wakeAt } = this.merged;
    return {
      steps: [...steps.values()],
      removed: [...removed],
      jobs: [...jobs.values()],
      withdrawn: [...withdrawn],
      wakeAt,
    };
  }
}
