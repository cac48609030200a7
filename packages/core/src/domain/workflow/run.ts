/** A run of a workflow and its steps, as they are kept. All times in ms since 1970 by the database's clock. Types only. */

import type { IdempotencyStrategy, JsonObject, StepDefinition, WorkflowDefinition } from './definition.ts';

export type RunStatus = 'RUNNING' | 'PAUSED' | 'COMPLETED' | 'FAILED' | 'TIMED_OUT' | 'TERMINATED';

export type StepStatus =
  | 'SCHEDULED'
  | 'IN_PROGRESS'
  | 'COMPLETED'
  | 'COMPLETED_WITH_ERRORS'
  | 'SKIPPED'
  | 'FAILED'
  | 'FAILED_WITH_TERMINAL_ERROR'
  | 'TIMED_OUT'
  | 'CANCELED';

/** One execution of a workflow. */
export interface Run {
  /** A UUIDv7. */
  readonly id: string;
  /** Grows by one with each change; who changes a run names the revision that he read. */
  readonly revision: number;
  /** As it was at the start, with the task definitions of that time inside; kept once for many runs. */
  readonly definition: WorkflowDefinition;
  readonly status: RunStatus;
  readonly input: JsonObject;
  readonly output: JsonObject;
  readonly variables: JsonObject;
  /** 0 to 99. */
  readonly priority: number;
  readonly correlationId: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly taskToDomain: Readonly<Record<string, string>>;
  readonly createdBy: string | undefined;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly endedAt: number | undefined;
  /** When it was last retried, restarted or rerun; its time-out counts from then. */
  readonly lastRetriedAt: number | undefined;
  readonly reason: string | undefined;
  /** The event that started it. */
  readonly event: string | undefined;
  /** The run whose step this is, with the id of the step. */
  readonly parent: { readonly runId: string; readonly stepId: string } | undefined;
  /** How many runs lie around it, each in a step of the next: 0 of one that is no run of a step. */
  readonly depth: number;
  readonly reRunFrom: string | undefined;
  readonly failedRefs: readonly string[];
  readonly failedNames: readonly string[];
  /** The next number of a step; numbers are not used twice, also after a rerun. */
  readonly nextSeq: number;
  /** Of a run of a workflow with a limit (`rateLimitConfig`); undefined: there is none. */
  readonly limited: RunLimit | undefined;
  /** Of one that was read or is shown: where its input and output are, if they are kept apart. */
  readonly externalInputPath?: string | undefined;
  readonly externalOutputPath?: string | undefined;
}

/** How a run stands to the limit of its workflow. From when it is admitted to its end it counts, also while it is paused. */
export interface RunLimit {
  /** Runs of the workflow with the same key share the limit. */
  readonly key: string;
  /** It stands in line until it is admitted; nothing begins. */
  readonly waits: boolean;
  /** What it goes on with when it is admitted, of a run that had ended; undefined: it begins. */
  readonly next?: RunResumption | undefined;
}

/** How a run that had ended goes on. */
export type RunResumption =
  | { readonly type: 'retry' }
  /** A run of one of its steps goes on. */
  | { readonly type: 'reopen' }
  /** Again from a step; `around`: which waits for its run. */
  | {
      readonly type: 'rerun';
      readonly stepId: string;
      readonly around: boolean;
      readonly stepInput?: JsonObject | undefined;
    };

/** One instance of a step: a new attempt of it is another. */
export interface Step {
  /** Also the id of its job, where it has one. A UUIDv7. */
  readonly id: string;
  /** Order within the run, from 1. */
  readonly seq: number;
  /** With `__N` in iteration N of a loop. */
  readonly ref: string;
  /** 0 outside loops. */
  readonly iteration: number;
  /** Attempts before this one. */
  readonly retryCount: number;
  /** As on the wire: of worker steps the name of the task, of others the type (`FORK`, `JOIN`, `HTTP` …). */
  readonly type: string;
  /** `taskDefName`. */
  readonly name: string;
  readonly status: StepStatus;
  readonly definition: StepDefinition;
  readonly input: JsonObject;
  readonly output: JsonObject;
  readonly domain: string | undefined;
  readonly scheduledAt: number;
  /** Of the first attempt. */
  readonly firstScheduledAt: number;
  readonly startedAt: number | undefined;
  readonly updatedAt: number;
  readonly endedAt: number | undefined;
  readonly startDelaySeconds: number;
  readonly callbackAfterSeconds: number;
  readonly pollCount: number;
  readonly workerId: string | undefined;
  readonly reason: string | undefined;
  /** The attempt before this one. */
  readonly retriedStepId: string | undefined;
  /** There is a later attempt. */
  readonly retried: boolean;
  /** It has ended, and what follows it was decided. */
  readonly executed: boolean;
  /** The run that it started: SUB_WORKFLOW. */
  readonly subRunId: string | undefined;
  /** Of WAIT: when it is over. Of a step with a script that is being evaluated: when its result is asked for again. */
  readonly dueAt: number | undefined;
  /** The step of which it is a branch or an iteration: FORK, DO_WHILE. */
  readonly parentStepId: string | undefined;
  /** Of one that was read or is shown: where its input and output are, if they are kept apart. */
  readonly externalInputPath?: string | undefined;
  readonly externalOutputPath?: string | undefined;
}

/** What a caller says to start a run. */
export interface StartRequest {
  readonly name: string;
  /** Default: the latest. */
  readonly version?: number;
  readonly input?: JsonObject;
  /** Where the input is that is kept apart; it takes the place of `input`. */
  readonly externalInputPath?: string;
  readonly correlationId?: string;
  readonly priority?: number;
  readonly taskToDomain?: Readonly<Record<string, string>>;
  /** In place of a registered definition. */
  readonly definition?: WorkflowDefinition;
  readonly createdBy?: string;
  readonly idempotencyKey?: string;
  readonly idempotencyStrategy?: IdempotencyStrategy;
  readonly event?: string;
}
