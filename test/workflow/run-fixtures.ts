/** Runs and steps as tests make them, and a store of runs on a database of their own. */

import { randomUUID } from 'node:crypto';
import type { StepJob } from '../../packages/core/src/domain/workflow/decision.ts';
import type { WorkflowDefinition } from '../../packages/core/src/domain/workflow/definition.ts';
import { Origins } from '../../packages/core/src/domain/workflow/origins.ts';
import type { Run, Step } from '../../packages/core/src/domain/workflow/run.ts';
import { Route } from '../../packages/core/src/store/session.ts';
import { bindStatements } from '../../packages/core/src/store/statements.ts';
import type { RunChange } from '../../packages/core/src/workflow/apply-values.ts';
import { keep } from '../../packages/core/src/workflow/definition-book.ts';
import { RunStore } from '../../packages/core/src/workflow/run-store.ts';

export const twoSteps: WorkflowDefinition = {
  name: 'two-steps',
  version: 1,
  tasks: [
    { name: 'first', taskReferenceName: 'a', type: 'SIMPLE' },
    { name: 'second', taskReferenceName: 'b', type: 'SIMPLE' },
  ],
};

export function storeAt(databaseUrl: string): RunStore {
  const route = new Route({ databaseUrl, applicationName: 'test', statementTimeoutMs: 60_000 });
  return new RunStore({ route, statements: bindStatements('lineshaft') });
}

export function aRun(given: Partial<Run> = {}): Run {
  const now = Date.now();
  return {
    id: randomUUID(),
    revision: 0,
    definition: twoSteps,
    status: 'RUNNING',
    input: {},
    output: {},
    variables: {},
    priority: 0,
    correlationId: undefined,
    idempotencyKey: undefined,
    taskToDomain: {},
    createdBy: undefined,
    createdAt: now,
    updatedAt: now,
    endedAt: undefined,
    lastRetriedAt: undefined,
    reason: undefined,
    event: undefined,
    parent: undefined,
    reRunFrom: undefined,
    limited: undefined,
    depth: 0,
    failedRefs: [],
    failedNames: [],
    nextSeq: 2,
    ...given,
  };
}

export function aStep(given: Partial<Step> = {}): Step {
  const now = Date.now();
  const [definition = { name: 'first', taskReferenceName: 'a' }] = twoSteps.tasks;
  return {
    id: randomUUID(),
    seq: 1,
    ref: 'a',
    iteration: 0,
    retryCount: 0,
    type: 'first',
    name: 'first',
    status: 'SCHEDULED',
    definition,
    input: {},
    output: {},
    domain: undefined,
    scheduledAt: now,
    firstScheduledAt: now,
    startedAt: undefined,
    updatedAt: now,
    endedAt: undefined,
    startDelaySeconds: 0,
    callbackAfterSeconds: 0,
    pollCount: 0,
    workerId: undefined,
    reason: undefined,
    retriedStepId: undefined,
    retried: false,
    executed: false,
    subRunId: undefined,
    dueAt: undefined,
    parentStepId: undefined,
    ...given,
  };
}

type Written = NonNullable<RunChange['decision']> & { readonly jobs: readonly StepJob[] };

/** The change that makes a run, with steps and a job for each of them. */
export function beginning(
  run: Run,
  steps: readonly Step[],
  given: Partial<Written> = {},
): RunChange & { readonly decision: Written } {
  return {
    before: undefined,
    after: run,
    origins: new Origins(),
    stepBefore: () => undefined,
    decision: {
      steps,
      removed: new Set(),
      jobs: steps.map((step) => ({
        stepId: step.id,
        seq: step.seq,
        kind: step.name,
        domain: step.domain,
        payload: step.input,
        delayMs: 0,
        priority: run.priority,
        responseTimeoutMs: undefined,
        timeoutMs: undefined,
        isLimited: false,
        again: false,
      })),
      withdrawn: [],
      wakeAt: undefined,
      ...given,
    },
    decided: [],
    tells: [],
    requests: [],
    bytes: 0,
    payload: '',
    kept: keep(run.definition),
  };
}

/** A change of a run that is there. */
export function further(
  before: Run,
  after: Partial<Run>,
  given: Partial<Written> = {},
  rest: Partial<RunChange> = {},
): RunChange {
  return {
    before,
    after: { ...before, ...after },
    origins: new Origins(),
    stepBefore: () => undefined,
    decision: { steps: [], removed: new Set(), jobs: [], withdrawn: [], wakeAt: undefined, ...given },
    decided: [],
    tells: [],
    requests: [],
    bytes: 0,
    payload: '',
    kept: undefined,
    ...rest,
  };
}
