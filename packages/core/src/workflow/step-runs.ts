/** What workers and services know of runs: that steps have ended, and that some runs need somebody. Types only. */

import type { RunEvent } from '../domain/workflow/decision.ts';

/** A step whose job has ended, and the mark that says so. */
export interface EndedStep {
  readonly runId: string;
  readonly mark: number;
  readonly event: RunEvent;
}

export interface StepRuns {
  /** What is not written yet, of runs that go on here. A worker takes no more steps while it is much. */
  readonly backlog: number;
  /** The input of a step whose job says that it stands there, as JSON; undefined: this payload is the input. */
  inputOf(stepId: string, payloadText: string): Promise<string> | undefined;
  /** Goes on with the runs of steps that have ended, and whose marks are written. */
  ended(steps: readonly EndedStep[]): void;
  /** Goes on with runs that wait for somebody: time has come, or nobody has decided on a mark. @returns how many there were */
  advanceDue(): Promise<number>;
  /** Starts the runs of ticks of schedules that have none yet. @returns how many were started, or could not be */
  startScheduled(signal: AbortSignal): Promise<number>;
}
