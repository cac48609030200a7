/**
 * What goes into `decide` and what comes out. `decide(state, events, context)` is pure: it reads a run with its steps,
 * learns what happened, and says what is to be written, enqueued, started and asked. Types only.
 */

import type { JsonObject, TaskDefinition } from './definition.ts';
import type { DocumentLimits } from './document-size.ts';
import type { Run, RunStatus, StartRequest, Step, StepStatus } from './run.ts';

/** What has happened to a run since it was read. */
export type RunEvent =
  | { readonly type: 'started' }
  /** An attempt has ended, or its worker says how far it is (`IN_PROGRESS`: it comes back after `callbackAfterSeconds`). */
  | {
      readonly type: 'reported';
      readonly stepId: string;
      readonly status: StepStatus;
      /** Takes the place of the output so far. */
      readonly output: JsonObject;
      /** Is added to the output so far instead. */
      readonly merge?: boolean;
      readonly reason?: string | undefined;
      readonly workerId?: string | undefined;
      readonly callbackAfterSeconds?: number | undefined;
      readonly startedAt?: number | undefined;
      readonly pollCount?: number | undefined;
      /** Default: the time of the decision. */
      readonly at?: number;
      /** Its job may still wait or be held by somebody, and is to be withdrawn: it was ended from outside. */
      readonly withdraw?: boolean;
    }
  /** A poll took a worker step, which is told where a decision depends on it (poll time-outs). */
  | { readonly type: 'polled'; readonly stepId: string; readonly workerId: string; readonly at: number }
  /** The worker has not been heard of for its response time-out. */
  | {
      readonly type: 'lapsed';
      readonly stepId: string;
      readonly startedAt: number;
      readonly at: number;
      readonly workerId?: string;
    }
  /** A script or jq program that a decision asked for. */
  | {
      readonly type: 'evaluated';
      readonly stepId: string;
      /** As it came with the evaluation. */
      readonly round: number;
      readonly result: Evaluated;
    }
  /** A run that a step started: SUB_WORKFLOW, START_WORKFLOW. */
  | { readonly type: 'run-started'; readonly stepId: string; readonly runId: string }
  | { readonly type: 'run-refused'; readonly stepId: string; readonly reason: string }
  | {
      readonly type: 'run-ended';
      readonly stepId: string;
      readonly runId: string;
      readonly status: RunStatus;
      readonly output: JsonObject;
      readonly reason: string | undefined;
    }
  /** A run that had ended goes on: its parent does too. */
  | { readonly type: 'run-reopened'; readonly stepId: string; readonly runId: string }
  /** It is to end as TERMINATED, with all that it has open: its parent has ended without it. No failure workflow starts. */
  | { readonly type: 'terminate'; readonly reason: string }
  /** It stood in line for the limit of its workflow, and may go on: see `admission.ts`. */
  | { readonly type: 'admitted' }
  /** There is no room under that limit, and it is not to stand in line. */
  | { readonly type: 'rejected' }
  /** Nothing but time: deadlines are looked at. */
  | { readonly type: 'time' };

export type Evaluated =
  | {
      readonly ok: true;
      readonly value: unknown /** All results, of jq. */;
      readonly values?: readonly unknown[];
    }
  /** `terminal`: trying again can't help. */
  | { readonly ok: false; readonly message: string; readonly terminal: boolean };

/** What is to be evaluated, outside the decision: `value-param` is not, it needs no script. */
export interface Evaluation {
  readonly stepId: string;
  /** To be given back with the result: which iteration of a loop asks; otherwise 0. */
  readonly round: number;
  readonly language: 'javascript' | 'jq';
  /** Of JavaScript: a program whose last value counts (`body: false`), or the body of a function (`body: true`). */
  readonly expression: string;
  readonly body: boolean;
  /** `$` in JavaScript, `.` in jq. */
  readonly input: unknown;
}

export interface DecideContext {
  /** The database's clock, ms since 1970. */
  readonly now: number;
  /** A new UUIDv7. */
  readonly newId: () => string;
  /** 0 to 1, for jitter. */
  readonly random: () => number;
  /** Names that `${NAME}` may show of the process environment, with their values. Default none. */
  readonly environment: Readonly<Record<string, string>>;
  /** Picks the domain of a worker step from the run's `taskToDomain`, by who has polled lately (`domain.ts`). */
  readonly domainOf: (taskType: string, taskToDomain: Readonly<Record<string, string>>) => string | undefined;
  /**
   * The registered definition of a task, as it is known now: for names that are known only at run time (DYNAMIC,
   * FORK_JOIN_DYNAMIC). undefined: there is none.
   */
  readonly taskOf: (name: string) => TaskDefinition | undefined;
  /** Limits of sizes and numbers; see `limits.ts`. */
  readonly limits: DecideLimits;
}

export interface DecideLimits {
  /** Of all variables of a run. Default 256 KiB. */
  readonly variablesMaxBytes: number;
  /** Of inputs and outputs. */
  readonly documents: DocumentLimits;
  /** Steps that one run may have made, also those that are gone. Default 1,000,000. */
  readonly stepsMax: number;
  /** Synchronous changes in one decision; what is left is decided in the next (`again`). Default 5,000. */
  readonly changesMax: number;
}

/** What is to be done. Whole new rows, not differences; what is not named stays. */
export interface Decision {
  /** The run as it is now, without `revision`; undefined: unchanged. */
  readonly run: Run | undefined;
  /** New and changed steps. */
  readonly steps: readonly Step[];
  /** Steps that are gone, by `seq`: rerun and restart. */
  readonly removed: readonly number[];
  /** Jobs to enqueue. Their id is the step's. */
  readonly jobs: readonly StepJob[];
  /** Steps whose jobs are to be cancelled or taken from where they wait. */
  readonly withdrawn: readonly string[];
  /** Runs to start, in the same transaction. */
  readonly starts: readonly RunStart[];
  /** Runs to be terminated since their parent ended. */
  readonly terminates: readonly { readonly runId: string; readonly reason: string }[];
  readonly evaluations: readonly Evaluation[];
  /** Messages of EVENT steps. */
  readonly messages: readonly {
    readonly event: string;
    readonly payload: JsonObject;
    readonly stepId: string;
  }[];
  /** When time alone may change something, ms since 1970; undefined: never. */
  readonly wakeAt: number | undefined;
  /** There is more to decide at once: `changesMax` was reached. */
  readonly again: boolean;
}

/** A step that waits for somebody to do it. */
export interface StepJob {
  readonly stepId: string;
  readonly seq: number;
  /** What workers poll for: the task's name, or a built-in type that a server does (`HTTP`). */
  readonly kind: string;
  readonly domain: string | undefined;
  readonly payload: JsonObject;
  /** Before anybody may have it. */
  readonly delayMs: number;
  /** 0 to 99. */
  readonly priority: number;
  /** Not heard of for so long, it has lapsed. undefined: none. */
  readonly responseTimeoutMs: number | undefined;
  /** From its start. undefined: none. */
  readonly timeoutMs: number | undefined;
  /** Its task has limits. */
  readonly isLimited: boolean;
  /** The task whose limits hold for it besides those of its kind. */
  readonly limitsOf?: string;
  /** It exists already, and waits again (after IN_PROGRESS with a callback). */
  readonly again: boolean;
}

/** A run to start. `stepId`: the step that asks for it; `attached`: its end is told to that step (SUB_WORKFLOW). */
export interface RunStart {
  readonly runId: string;
  readonly stepId: string | undefined;
  readonly attached: boolean;
  readonly request: StartRequest;
}
