/**
 * The smaller books of workflows, as the port has them: event handlers, schedules of workflows, payloads that are kept
 * apart, and rehearsals. Field names of documents are the wire's. Types only.
 */

import type { IdempotencyStrategy, JsonObject, WorkflowDefinition } from '../domain/workflow/definition.ts';
import type { StartRequest, StepStatus } from '../domain/workflow/run.ts';
import type { Found } from './port.ts';

/** What a message of an event does. */
export interface EventHandler {
  readonly name: string;
  /** `conductor:WORKFLOW:REF`, `conductor:NAME`. */
  readonly event: string;
  /** A script over the message as `$`; absent: always. */
  readonly condition?: string;
  readonly evaluatorType?: string;
  /** At least one. */
  readonly actions: readonly EventAction[];
  /** Default false. */
  readonly active?: boolean;
  readonly [other: string]: unknown;
}

export interface EventAction {
  /** `start_workflow`, `complete_task`, `fail_task`. */
  readonly action: string;
  readonly start_workflow?: JsonObject;
  readonly complete_task?: JsonObject;
  readonly fail_task?: JsonObject;
  readonly expandInlineJSON?: boolean;
  readonly [other: string]: unknown;
}

export interface EventHandlers {
  /** `create`: @throws EVENT_HANDLER_EXISTS. `replace`: @throws EVENT_HANDLER_NOT_FOUND. Both: DEFINITION_INVALID. */
  put(handler: EventHandler, how: 'create' | 'replace'): Promise<void>;
  list(options?: { event?: string; activeOnly?: boolean }): Promise<EventHandler[]>;
  /** @throws EVENT_HANDLER_NOT_FOUND */
  delete(name: string): Promise<void>;
}

/** When runs of a workflow start by themselves. */
export interface WorkflowSchedule {
  readonly name: string;
  readonly description?: string;
  /** Six fields, seconds first. Either this or `cronSchedules`. */
  readonly cronExpression?: string;
  /** Default UTC. */
  readonly zoneId?: string;
  readonly cronSchedules?: readonly { readonly cronExpression: string; readonly zoneId?: string }[];
  readonly paused?: boolean;
  readonly pausedReason?: string;
  /** Default false: only the last of what was missed. */
  readonly runCatchupScheduleInstances?: boolean;
  /** ms since 1970. */
  readonly scheduleStartTime?: number;
  readonly scheduleEndTime?: number;
  readonly startWorkflowRequest: WorkflowStartDocument;
  readonly createTime?: number;
  readonly updatedTime?: number;
  readonly createdBy?: string;
  readonly updatedBy?: string;
  /** Given back, not taken: ms since 1970. */
  readonly nextRunTime?: number;
  readonly [other: string]: unknown;
}

/** A request to start a run, with the names of the wire. */
export interface WorkflowStartDocument {
  readonly name: string;
  readonly version?: number;
  readonly correlationId?: string;
  readonly input?: JsonObject;
  readonly taskToDomain?: Readonly<Record<string, string>>;
  readonly workflowDef?: WorkflowDefinition;
  readonly externalInputPayloadStoragePath?: string;
  readonly priority?: number;
  readonly createdBy?: string;
  readonly idempotencyKey?: string;
  readonly idempotencyStrategy?: IdempotencyStrategy;
  readonly [other: string]: unknown;
}

/** A run that a schedule has started, or tried to. */
export interface ScheduleExecution {
  readonly executionId: string;
  readonly scheduleName: string;
  /** ms since 1970: the tick; when it was done. */
  readonly scheduledTime: number;
  readonly executionTime: number;
  readonly workflowName: string;
  readonly workflowId?: string;
  readonly reason?: string;
  readonly startWorkflowRequest?: WorkflowStartDocument;
  readonly state: 'POLLED' | 'FAILED' | 'EXECUTED';
  readonly zoneId?: string;
}

export interface WorkflowSchedules {
  /** @returns the schedule as it is now. @throws DEFINITION_INVALID */
  put(schedule: WorkflowSchedule): Promise<WorkflowSchedule>;
  /** @throws SCHEDULE_NOT_FOUND */
  get(name: string): Promise<WorkflowSchedule>;
  list(options?: { workflow?: string }): Promise<WorkflowSchedule[]>;
  delete(name: string): Promise<void>;
  pause(name: string, reason?: string): Promise<void>;
  resume(name: string): Promise<void>;
  /** When a rule would run next, ms since 1970. @throws OPTION_INVALID */
  next(rule: {
    readonly cronExpression: string;
    readonly zoneId?: string;
    readonly from?: number;
    readonly to?: number;
    /** 1 to 1,000. */
    readonly limit: number;
  }): Promise<number[]>;
  executions(search: {
    readonly start?: number;
    readonly size?: number;
    readonly query?: string;
    readonly freeText?: string;
    readonly sort?: string;
  }): Promise<Found<ScheduleExecution>>;
}

/** Where a client reads or writes a payload that it keeps apart from the requests. */
export interface Payloads {
  /** @throws OPTION_INVALID for a path that leads outside */
  location(request: {
    /** Empty: a new one is made. */
    readonly path: string;
    readonly operation: 'READ' | 'WRITE';
    readonly payloadType: 'TASK_INPUT' | 'TASK_OUTPUT' | 'WORKFLOW_INPUT' | 'WORKFLOW_OUTPUT';
    /** The address, without a slash at its end, under which a server takes tickets: for a store that clients can't reach. */
    readonly through?: string;
  }): Promise<{ readonly uri: string; readonly path: string }>;
  /** What a ticket is for: the last part of an address `through` a server. @throws TICKET_INVALID, BLOB_NOT_FOUND */
  readBy(ticket: string): Promise<Uint8Array>;
  /** @throws TICKET_INVALID, PAYLOAD_TOO_LARGE */
  writeBy(ticket: string, text: string): Promise<void>;
}

/** A run in memory, with outcomes that are given in place of workers. */
export interface Rehearsal {
  readonly start: StartRequest;
  /** By ref (`ref__N` in loops): one outcome an attempt, in order. */
  readonly outcomes: Readonly<Record<string, readonly RehearsedOutcome[]>>;
  /** By ref of a SUB_WORKFLOW. */
  readonly subWorkflows: Readonly<Record<string, Rehearsal>>;
}

export interface RehearsedOutcome {
  /** Default COMPLETED. */
  readonly status?: StepStatus;
  readonly output?: JsonObject;
  /** ms that it takes, and waits before. */
  readonly executionTime?: number;
  readonly queueWaitTime?: number;
}
