/** What workers and services know of runs: that steps have ended, and that some runs need somebody. Types only. */

import type { RunEvent } from '../domain/workflow/decision.ts';

/** A step whose job has ended, and the mark that says so. */
export interface EndedStep {
  readonly runId: string;
  readonly mark: number;
  readonly event: RunEvent;
}

/** The lease of jobs that end: its row goes with the write that ends all that is left of them. */
export interface EndingLease {
  readonly id: string;
  /** Jobs whose end is not written yet. */
  readonly unsettled: number;
  /** Set by the write with which its row goes. */
  isGone: boolean;
}

/** A step whose attempt has ended, and whose job its worker still has. */
export interface EndingStep {
  readonly stepId: string;
  readonly fence: number;
  readonly lease: EndingLease;
  readonly event: RunEvent;
  /**
   * Called once. `written`: the job is gone, and its run has gone on. `left`: nothing was written about it. `unsure`: the
   * answer of the database was lost.
   */
  readonly settle: (how: 'written' | 'left' | 'unsure') => void;
}

/** A job of a step that a worker has claimed. */
export interface ClaimedStep {
  readonly jobId: string;
  /** Its payload, as it was sent. */
  readonly sentText: string;
}

/** Whether words of runs were indexed, and how many changes wait for more to come. */
export interface Indexed {
  readonly any: boolean;
  readonly waiting: number;
}

export interface StepRuns {
  /** What is not written yet, of runs that go on here. A worker takes no more steps while it is much. */
  readonly backlog: number;
  /** A worker has claimed steps, and will ask for their inputs in this order. */
  claimed(steps: readonly ClaimedStep[]): void;
  /** The input of a step as its worker gets it, as JSON; at once where it is at hand. */
  inputOf(step: ClaimedStep): string | Promise<string>;
  /** A text that tells what went wrong in a step, without the values of secrets. */
  redact(text: string): string;
  /** Goes on with the runs of steps that have ended, in the same write in which their jobs end: where it can be done. */
  end(steps: readonly EndingStep[]): void;
  /** Goes on with the runs of steps that have ended, and whose marks are written. */
  ended(steps: readonly EndedStep[]): void;
  /** Goes on with runs that wait for somebody: time has come, or nobody has decided on a mark. @returns how many there were */
  advanceDue(): Promise<number>;
  /** Deletes payloads, kept apart, of runs that are gone. @returns how many */
  prunePayloads(signal: AbortSignal): Promise<number>;
  /** Starts the runs of ticks of schedules that have none yet. @returns how many were started, or could not be */
  startScheduled(signal: AbortSignal): Promise<number>;
  /** Indexes the words of runs, if there are enough. */
  indexRuns(): Promise<Indexed>;
}
