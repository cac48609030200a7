/**
 * Workflow definitions and task definitions, as Conductor's JSON has them (`docs/internals/workflows.md`): field names are
 * the wire's, so that a definition is given back as it came. Types only; `validate-definition.ts` checks documents.
 */

/** How a step of a name behaves: retries, time limits, limits. All times in seconds, as Conductor has them. */
export interface TaskDefinition {
  readonly name: string;
  readonly description?: string;
  readonly ownerEmail?: string;
  readonly ownerApp?: string;
  readonly createTime?: number;
  readonly updateTime?: number;
  readonly createdBy?: string;
  readonly updatedBy?: string;
  /** Default 3. */
  readonly retryCount?: number;
  /** Default FIXED. */
  readonly retryLogic?: 'FIXED' | 'EXPONENTIAL_BACKOFF' | 'LINEAR_BACKOFF';
  /** Default 60. */
  readonly retryDelaySeconds?: number;
  /** Default 1. */
  readonly backoffScaleFactor?: number;
  /** 0: no cap. The cap comes before the jitter. */
  readonly maxRetryDelaySeconds?: number;
  readonly backoffJitterMs?: number;
  /** Of an attempt, from its start; 0: none. */
  readonly timeoutSeconds?: number;
  /** Default TIME_OUT_WF. */
  readonly timeoutPolicy?: 'RETRY' | 'TIME_OUT_WF' | 'ALERT_ONLY';
  /** Default 3600. */
  readonly responseTimeoutSeconds?: number;
  readonly pollTimeoutSeconds?: number | null;
  /** Across all attempts, from the first scheduling; 0: none. */
  readonly totalTimeoutSeconds?: number;
  readonly concurrentExecLimit?: number | null;
  readonly rateLimitPerFrequency?: number | null;
  readonly rateLimitFrequencyInSeconds?: number | null;
  readonly isolationGroupId?: string;
  readonly executionNameSpace?: string;
  readonly inputKeys?: readonly string[];
  readonly outputKeys?: readonly string[];
  readonly inputTemplate?: JsonObject;
  readonly [other: string]: unknown;
}

export type JsonObject = Readonly<Record<string, unknown>>;

/** A workflow: what its runs do. */
export interface WorkflowDefinition {
  readonly name: string;
  /** Default 1. */
  readonly version?: number;
  readonly description?: string;
  readonly tasks: readonly StepDefinition[];
  readonly inputParameters?: readonly string[];
  readonly outputParameters?: JsonObject;
  readonly failureWorkflow?: string;
  readonly failureWorkflowVersion?: number;
  readonly schemaVersion?: number;
  /** Default true. */
  readonly restartable?: boolean;
  readonly workflowStatusListenerEnabled?: boolean;
  readonly ownerEmail?: string;
  readonly ownerApp?: string;
  readonly createTime?: number;
  readonly updateTime?: number;
  readonly createdBy?: string;
  readonly updatedBy?: string;
  /** Default ALERT_ONLY. */
  readonly timeoutPolicy?: 'TIME_OUT_WF' | 'ALERT_ONLY';
  readonly timeoutSeconds?: number;
  readonly variables?: JsonObject;
  readonly inputTemplate?: JsonObject;
  readonly rateLimitConfig?: {
    readonly rateLimitKey?: string;
    readonly concurrentExecLimit?: number;
    readonly policy?: 'QUEUE' | 'REJECT';
  };
  readonly metadata?: JsonObject;
  readonly [other: string]: unknown;
}

/** A step of a workflow, with the steps inside it. */
export interface StepDefinition {
  readonly name: string;
  readonly taskReferenceName: string;
  readonly description?: string;
  /** SIMPLE and CUSTOM are the same; given back as sent. Default SIMPLE. */
  readonly type?: string;
  readonly inputParameters?: JsonObject;
  readonly dynamicTaskNameParam?: string;
  readonly caseValueParam?: string;
  readonly caseExpression?: string;
  readonly scriptExpression?: string;
  readonly decisionCases?: Readonly<Record<string, readonly StepDefinition[]>>;
  readonly defaultCase?: readonly StepDefinition[];
  readonly dynamicForkJoinTasksParam?: string;
  readonly dynamicForkTasksParam?: string;
  readonly dynamicForkTasksInputParamName?: string;
  readonly forkTasks?: readonly (readonly StepDefinition[])[];
  readonly startDelay?: number;
  readonly subWorkflowParam?: SubWorkflowParam;
  readonly joinOn?: readonly string[];
  readonly joinMode?: 'SYNC' | 'ASYNC';
  readonly joinStatus?: string;
  readonly sink?: string;
  readonly optional?: boolean;
  readonly permissive?: boolean;
  /** Snapshotted at the start of a run. */
  readonly taskDefinition?: TaskDefinition;
  readonly rateLimited?: boolean;
  readonly defaultExclusiveJoinTask?: readonly string[];
  readonly asyncComplete?: boolean;
  readonly loopCondition?: string;
  readonly loopOver?: readonly StepDefinition[];
  readonly items?: unknown;
  readonly retryCount?: number;
  readonly evaluatorType?: string;
  readonly expression?: string;
  readonly onStateChange?: JsonObject;
  readonly cacheConfig?: JsonObject;
  readonly metadata?: JsonObject;
  readonly [other: string]: unknown;
}

export interface SubWorkflowParam {
  readonly name?: string;
  /** A number, or a text that is one, or an expression. */
  readonly version?: number | string;
  readonly taskToDomain?: Readonly<Record<string, string>>;
  /** A definition, or an expression that gives one. */
  readonly workflowDefinition?: WorkflowDefinition | string;
  readonly idempotencyKey?: string;
  readonly idempotencyStrategy?: IdempotencyStrategy;
  readonly priority?: number | string;
}

export type IdempotencyStrategy = 'FAIL' | 'RETURN_EXISTING' | 'FAIL_ON_RUNNING';
