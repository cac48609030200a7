/** What workers and services know of runs: that steps have ended, and that some runs need somebody. Types only. */

import type { RunEvent } from '../domain/workflow/decision.ts';
import type { JsonObject } from '../domain/workflow/definition.ts';

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

/** A step that a worker is handed as it becomes ready. */
export interface HandedStep {
  readonly stepId: string;
  readonly runId: string;
  /** What it is given; nobody may change it. */
  readonly input: JsonObject;
  readonly lane: number;
  readonly payload: string;
  /** What its job has beside the payload, as claims give it: see `HeldJob`; null: nothing. */
  readonly rest: string | null;
  /** Since when the worker has been given one step after the other of this run, by the monotonic clock. */
  readonly sinceMs: number;
}

/** The lease of steps that are handed to a worker, and when their jobs were made: ms since 1970, by the clock of the database. */
export interface HandedLease {
  readonly worker: string;
  readonly lease: string;
  readonly createdMs: string;
}

/**
 * A worker that takes steps which follow on those that it has done, in the very write in which they become ready: no
 * message, no claim and no commit more. What it offers is taken or left.
 */
export interface StepTaker {
  /** Its row, under which the steps are leased. */
  readonly worker: string;
  /** Lanes whose jobs go first, where they have a higher priority. */
  readonly before: readonly number[];
  /**
   * A place for a step of a kind: the lane. undefined: it has none, or others have waited long enough.
   * @param sinceMs as of `HandedStep`
   * @param instead it comes instead of one that ends in the same write
   */
  offer(kind: string, sinceMs: number, instead: boolean): number | undefined;
  /** The steps are the worker's, under the row that it had. */
  take(given: HandedLease, steps: readonly HandedStep[]): void;
  /** So many places are not needed. */
  leave(places: number): void;
  /** The database has let these steps wait as others do, each given by its lane. */
  refused(lanes: readonly number[]): void;
}

/** A step whose attempt has ended, and whose job its worker still has. */
export interface EndingStep {
  readonly stepId: string;
  /** Known of a step that was handed to its worker. */
  readonly runId: string | undefined;
  readonly fence: number;
  readonly lease: EndingLease;
  readonly event: RunEvent;
  /** As of `HandedStep`. */
  readonly sinceMs: number;
  /**
   * Called once. `written`: the job is gone, and its run has gone on. `left`: nothing was written about it. `unsure`: the
   * answer of the database was lost.
   */
  settle(how: 'written' | 'left' | 'unsure'): void;
}

/** A job of a step that a worker has claimed. */
export interface ClaimedStep {
  readonly jobId: string;
  /** Its payload, as it was sent. */
  readonly sentText: string;
  /** Its input, where it was handed to its worker with it. */
  readonly payload?: JsonObject | undefined;
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
  /**
   * The input of a step as its worker gets it, as JSON, or where this process has its run as it is, which nobody may change;
   * at once where it is at hand.
   */
  inputOf(step: ClaimedStep): string | JsonObject | Promise<string | JsonObject>;
  /** A text that tells what went wrong in a step, without the values of secrets. */
  redact(text: string): string;
  /**
   * Goes on with the runs of steps that have ended, in the same write in which their jobs end: where it can be done.
   * @param taker the worker that had them, which may be given what follows
   */
  end(steps: readonly EndingStep[], taker: StepTaker): void;
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
