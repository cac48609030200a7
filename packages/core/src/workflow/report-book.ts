/**
 * What workers say of steps: how an attempt ended, how far it is, that they live. Whoever takes a report tells the run, which
 * writes the end of the job, what follows and the next jobs in one commit, many reports together. Any server may take it: what
 * is known of a step that was polled elsewhere is in the database.
 */

import { isLineshaftError } from '../domain/errors.ts';
import { isUuid } from '../domain/uuid.ts';
import type { RunEvent } from '../domain/workflow/decision.ts';
import type { Run, Step } from '../domain/workflow/run.ts';
import type { RunState } from '../domain/workflow/state.ts';
import { hasEnded, isTerminal } from '../domain/workflow/status.ts';
import type { BoundStatements } from '../store/statements.ts';
import type { HandOver } from './hand-over.ts';
import type { HandedSteps } from './handed-steps.ts';
import type { LogBook } from './log-book.ts';
import type { StepOfRun, StepReport } from './port.ts';
import { runNotFound, stepNotFound } from './run-book.ts';
import type { RunStore } from './run-store.ts';

/** Reasons are cut, as Conductor cuts them. */
const reasonMost = 500;

/** What a report needs to know of its step. */
interface Known {
  readonly runId: string;
  /** When it was taken, by whom, how often: of a step that somebody has. */
  readonly startedAt: number | undefined;
  readonly pollCount: number | undefined;
  readonly workerId: string | undefined;
}

export class ReportBook {
  private readonly store: RunStore;
  private readonly statements: BoundStatements;
  private readonly handed: HandedSteps;
  private readonly handOver: HandOver;
  private readonly logs: LogBook;
  private readonly tell: (runId: string, events: readonly RunEvent[]) => Promise<Run>;
  private readonly stateOf: (runId: string) => RunState | undefined;
  /** Steps whose workers say that they live, and those who wait for it to be written. */
  private living: {
    readonly stepId: string;
    readonly done: () => void;
    readonly failed: (error: unknown) => void;
  }[] = [];
  private extending = false;

  constructor(parts: {
    readonly store: RunStore;
    readonly statements: BoundStatements;
    readonly handed: HandedSteps;
    readonly handOver: HandOver;
    readonly logs: LogBook;
    /** Tells a run what has happened, and resolves when what follows is written. */
    readonly tell: (runId: string, events: readonly RunEvent[]) => Promise<Run>;
    /** A run that is at hand. */
    readonly stateOf: (runId: string) => RunState | undefined;
  }) {
    this.store = parts.store;
    this.statements = parts.statements;
    this.handed = parts.handed;
    this.handOver = parts.handOver;
    this.logs = parts.logs;
    this.tell = parts.tell;
    this.stateOf = parts.stateOf;
  }

  /**
   * Takes a report; resolves when what follows is written. A step or run that has ended is left as it is.
   * @returns the step as it is then; undefined: it had ended long before
   * @throws LineshaftError STEP_NOT_FOUND, RUN_BUSY, DATABASE_UNAVAILABLE
   */
  async report(report: StepReport): Promise<StepOfRun | undefined> {
    const { stepId } = report;
    const known = await this.know(stepId);
    const logged = this.logs.add(stepId, report.logs ?? []);
    if (known === undefined) {
      await logged;
      return undefined;
    }
    if (report.extendLease === true) {
      await Promise.all([logged, this.extend(stepId)]);
      return await this.stepOf(known.runId, stepId);
    }
    const before = this.stateOf(known.runId);
    const told = this.tell(known.runId, [eventOf(this.clean(report), known)]).catch((error: unknown) => {
      throw isLineshaftError(error, 'RUN_NOT_FOUND') ? stepNotFound(stepId) : error;
    });
    const [run] = await Promise.all([told, logged]);
    this.handed.forget(stepId);
    // Of a run that has ended nothing is kept at hand, but what was at hand has become what it is now.
    const step = before?.run === run ? before.byId.get(stepId) : undefined;
    return step === undefined
      ? await this.stepOf(known.runId, stepId, run)
      : stepOfRun(this.store.shown(step, run.id), run);
  }

  /**
   * The same of the step of a run that has this ref and has not ended, in a loop of its last iteration.
   * @returns undefined: there is none. @throws LineshaftError RUN_NOT_FOUND
   */
  async reportByRef(
    runId: string,
    ref: string,
    report: Omit<StepReport, 'stepId'>,
  ): Promise<StepOfRun | undefined> {
    const rows = isUuid(runId) ? await this.store.read(this.statements.pendingByRef, [runId, ref]) : [];
    const [found] = rows;
    if (found === undefined) throw runNotFound(runId);
    const [stepId] = found;
    return stepId == null ? undefined : await this.report({ ...report, stepId });
  }

  /** What is known of a step: of one that was polled here from memory. undefined: it has ended. @throws STEP_NOT_FOUND */
  private async know(stepId: string): Promise<Known | undefined> {
    const handed = this.handed.get(stepId);
    if (handed !== undefined) return handed;
    const [found] = isUuid(stepId) ? await this.store.steps([stepId]) : [];
    if (found === undefined) throw stepNotFound(stepId);
    const { step, run } = found;
    if (isTerminal(step.status)) return undefined;
    const [holder] = await this.store.read(this.statements.heldSteps, [`{${stepId}}`]);
    const taken = holder?.[2];
    return {
      runId: run.id,
      startedAt: step.startedAt ?? (taken == null ? undefined : Number(taken)),
      pollCount: step.pollCount + (holder === undefined ? 0 : 1),
      workerId: holder?.[1] ?? undefined,
    };
  }

  /** What went wrong is told without secrets that the worker was handed. */
  private clean(report: StepReport): StepReport {
    return report.reason === undefined ? report : { ...report, reason: this.handOver.redact(report.reason) };
  }

  private async stepOf(runId: string, stepId: string, run?: Run): Promise<StepOfRun | undefined> {
    const state = this.stateOf(runId);
    const step: Step | undefined = state?.byId.get(stepId);
    const at = run ?? state?.run;
    // Of a run that has ended nothing is kept at hand.
    if (step === undefined || at === undefined || hasEnded(at.status))
      return (await this.store.steps([stepId]))[0];
    return stepOfRun(this.store.shown(step, at.id), at);
  }

  /** Says that the worker of a step lives; what comes while this is written goes together in the next statement. */
  private extend(stepId: string): Promise<void> {
    return new Promise((done, failed) => {
      this.living.push({ stepId, done, failed });
      if (this.extending) return;
      this.extending = true;
      setImmediate(() => void this.extendAll());
    });
  }

  private async extendAll(): Promise<void> {
    while (this.living.length > 0) {
      const batch = this.living.splice(0);
      try {
        await this.store.write(this.statements.extendPolled, [batch.map(({ stepId }) => stepId)]);
        for (const { done } of batch) done();
      } catch (error) {
        for (const { failed } of batch) failed(error);
      }
    }
    this.extending = false;
  }
}

function stepOfRun(step: Step, { id, correlationId, priority, definition }: Run): StepOfRun {
  return { step, run: { id, correlationId, priority, definition } };
}

function eventOf(report: StepReport, known: Known): RunEvent {
  return {
    type: 'reported',
    stepId: report.stepId,
    status: report.status,
    output: report.output ?? {},
    merge: report.merge ?? false,
    reason: report.reason?.slice(0, reasonMost),
    workerId: report.workerId ?? known.workerId,
    callbackAfterSeconds: report.callbackAfterSeconds,
    startedAt: known.startedAt,
    pollCount: known.pollCount,
    // Wherever its job is: nobody need have polled it.
    withdraw: report.status !== 'IN_PROGRESS',
  };
}
