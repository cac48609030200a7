/**
 * What the rest of Lineshaft may ask of workflows: the dialects of the server and the command use this and nothing below it.
 * One class implements it (`workflows.ts`), for one installation. Types only.
 *
 * Errors: WORKFLOW_NOT_FOUND (definition), TASK_NOT_FOUND (task definition), RUN_NOT_FOUND, STEP_NOT_FOUND, WORKFLOW_EXISTS,
 * RUN_STATE (the run is not in a state in which this can be done), DEFINITION_INVALID (details.violations), OPTION_INVALID.
 */

import type { TaskDefinition, WorkflowDefinition } from '../domain/workflow/definition.ts';
import type { Run, RunStatus, StartRequest, Step, StepStatus } from '../domain/workflow/run.ts';
import type { EventHandlers, Payloads, Rehearsal, WorkflowSchedules } from './port-books.ts';

/** A run as it is shown: with its steps if they were asked for. */
export interface RunView {
  readonly run: Run;
  readonly steps: readonly Step[];
}

/** A step to be handed on: its documents are JSON as it is kept, which nobody has parsed. */
export interface WrittenStep extends Omit<Step, 'input' | 'output'> {
  readonly inputText: string;
  readonly outputText: string;
}

export interface WrittenRun {
  readonly run: Run;
  readonly steps: readonly WrittenStep[];
}

/** What a worker says of a step that it was given. */
export interface StepReport {
  readonly stepId: string;
  readonly status: Extract<
    StepStatus,
    'IN_PROGRESS' | 'COMPLETED' | 'FAILED' | 'FAILED_WITH_TERMINAL_ERROR' | 'CANCELED'
  >;
  readonly output?: Readonly<Record<string, unknown>>;
  /** Where the output is that is kept apart; it takes the place of `output`. */
  readonly externalOutputPath?: string;
  /** Add to the output so far, do not replace it. */
  readonly merge?: boolean;
  readonly reason?: string;
  readonly workerId?: string;
  readonly callbackAfterSeconds?: number;
  readonly logs?: readonly StepLog[];
  /** Only say that the worker lives. */
  readonly extendLease?: boolean;
}

export interface StepLog {
  readonly log: string;
  /** As the client sent it: some send seconds, some ms. */
  readonly createdTime: number;
}

/** A polled step, with what a worker needs to know of its run. */
export interface PolledStep {
  readonly step: Step;
  readonly run: Pick<Run, 'id' | 'correlationId' | 'priority' | 'definition'>;
}

export interface PollRequest {
  readonly kind: string;
  /** undefined: only steps without a domain. */
  readonly domain?: string;
  readonly workerId: string;
  /** 1 to 1,000. */
  readonly count: number;
  /** 0: answers at once. */
  readonly timeoutMs: number;
  /** The client went away. */
  readonly signal?: PollSignal;
  /**
   * The caller sends the steps on, and says by `confirmPoll` that they were sent. If its process dies before, they wait again
   * within 10 s. Default false: they count as sent with the answer.
   */
  readonly confirm?: boolean;
}

/** Says that nobody waits for a poll any more. An AbortSignal does; who has very many polls may have something lighter. */
export interface PollSignal {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: () => void, options?: { readonly once?: boolean }): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

export interface PollRecord {
  readonly kind: string;
  readonly domain: string | undefined;
  readonly workerId: string;
  readonly at: number;
}

/** Conditions of a search, all of which must hold; see `search-query.ts` for the language. */
export interface RunSearch {
  readonly query?: string;
  /** Words; `*` or absent: any. */
  readonly freeText?: string;
  /** `field:ASC|DESC`, several joined by `|`. */
  readonly sort?: string;
  /** 0 to 100,000. Default 0. */
  readonly start?: number;
  /** 0 to 5,000. Default 100. */
  readonly size?: number;
  /** Only runs that no step of another has started. Default false. */
  readonly topLevelOnly?: boolean;
  /** Only runs whose definition has it as `classifier` in its `metadata`. */
  readonly classifier?: string;
}

export interface Found<Item> {
  /** Counted up to 10,000, or to one beyond the page; all of them where words were searched with nothing but name, status and start. */
  readonly totalHits: number;
  readonly results: readonly Item[];
}

export interface StepOfRun {
  readonly step: Step;
  readonly run: Pick<Run, 'id' | 'correlationId' | 'priority' | 'definition'>;
}

export interface RerunRequest {
  readonly fromStepId?: string;
  readonly stepInput?: Readonly<Record<string, unknown>>;
  readonly runInput?: Readonly<Record<string, unknown>>;
  readonly correlationId?: string;
}

export interface Workflows {
  readonly events: EventHandlers;
  readonly schedules: WorkflowSchedules;
  readonly payloads: Payloads;

  // Definitions
  /** Checks only; writes nothing. @throws DEFINITION_INVALID */
  checkWorkflow(definition: WorkflowDefinition): Promise<void>;
  putWorkflow(definition: WorkflowDefinition, options: { overwrite: boolean }): Promise<void>;
  getWorkflow(name: string, version?: number): Promise<WorkflowDefinition>;
  listWorkflows(options?: { name?: string; latestOnly?: boolean }): Promise<WorkflowDefinition[]>;
  deleteWorkflow(name: string, version: number): Promise<void>;
  putTask(definition: TaskDefinition): Promise<void>;
  getTask(name: string): Promise<TaskDefinition>;
  listTasks(): Promise<TaskDefinition[]>;
  deleteTask(name: string): Promise<void>;

  // Runs
  /** Runs a workflow in memory, with the outcomes that are given; writes nothing (`/workflow/test`). */
  rehearse(rehearsal: Rehearsal): Promise<RunView>;
  start(request: StartRequest): Promise<string>;
  show(runId: string, options?: { steps?: boolean }): Promise<RunView>;
  /** As `show` with steps, for who hands them on: most of a large run are documents of steps, and these stay text. */
  showWritten(runId: string): Promise<WrittenRun>;
  showStep(stepId: string): Promise<StepOfRun>;
  searchRuns(search: RunSearch): Promise<Found<Run>>;
  searchSteps(search: RunSearch): Promise<Found<StepOfRun>>;
  correlated(
    names: readonly string[],
    correlationIds: readonly string[],
    options: { closed: boolean; steps: boolean },
  ): Promise<RunView[]>;
  running(name: string, version?: number, between?: { from: number; to: number }): Promise<string[]>;
  /** Resolves when `done` says so of what it is shown, which is after each change, or when the time is over: with the last view. */
  waitForRun(
    runId: string,
    done: (view: RunView) => boolean,
    options: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<RunView>;

  // Control
  decide(runId: string): Promise<void>;
  pause(runId: string): Promise<void>;
  resume(runId: string): Promise<void>;
  terminate(runId: string, options?: { reason?: string; triggerFailureWorkflow?: boolean }): Promise<void>;
  restart(runId: string, options?: { useLatestDefinitions?: boolean }): Promise<void>;
  retry(runId: string, options?: { resumeSubworkflowTasks?: boolean }): Promise<void>;
  rerun(runId: string, request: RerunRequest): Promise<string>;
  skip(
    runId: string,
    ref: string,
    request?: { input?: Readonly<Record<string, unknown>>; output?: Readonly<Record<string, unknown>> },
  ): Promise<void>;
  resetCallbacks(runId: string): Promise<void>;
  remove(runId: string): Promise<void>;
  /** Puts a message where PULL_WORKFLOW_MESSAGES takes it. @returns its id @throws RUN_STATE, INBOX_FULL */
  sendMessage(runId: string, message: Readonly<Record<string, unknown>>): Promise<string>;
  /** Ends the first WAIT that is not over, in the run or the runs of its steps. undefined: there is none. */
  signal(
    runId: string,
    status: RunStatus | StepStatus,
    output: Readonly<Record<string, unknown>>,
  ): Promise<StepOfRun | undefined>;

  // Workers
  poll(request: PollRequest): Promise<PolledStep[]>;
  /** Says that the steps of a poll with `confirm` were sent to its client. */
  confirmPoll(stepIds: readonly string[]): void;
  /** Puts steps back that `poll` gave and nobody received, since the connection was cut. Returns how many. */
  giveBack(stepIds: readonly string[]): Promise<number>;
  /** undefined: nothing to report to, the step or its run has ended. @throws STEP_NOT_FOUND */
  report(report: StepReport): Promise<StepOfRun | undefined>;
  /** The pending instance of a ref, also in a loop. undefined: none. */
  reportByRef(runId: string, ref: string, report: Omit<StepReport, 'stepId'>): Promise<StepOfRun | undefined>;
  addLog(stepId: string, log: StepLog): Promise<void>;
  logs(stepId: string): Promise<StepLog[]>;
  /** By the name of their queue, `kind` or `domain:kind`; with names each of them, 0 where nothing waits. */
  queueSizes(names?: readonly string[]): Promise<Map<string, number>>;
  pollRecords(kind?: string): Promise<PollRecord[]>;
  /** Has the steps of a kind looked at again by all who may have them; returns how many wait. */
  requeue(kind: string): Promise<number>;
}
