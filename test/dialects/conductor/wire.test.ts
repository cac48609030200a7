/** The shapes of the wire (conductor.md §0, §2): what is written, what is left out, and how. */

import { describe, expect, it } from 'vitest';
import {
  taskDefText,
  withCustomSteps,
  workflowDefText,
  workflowTaskText,
} from '../../../packages/server/src/dialects/conductor/wire/definition.ts';
import { javaText } from '../../../packages/server/src/dialects/conductor/wire/java-text.ts';
import { signalResponseText } from '../../../packages/server/src/dialects/conductor/wire/signal-response.ts';
import {
  taskSummaryText,
  workflowSummaryText,
} from '../../../packages/server/src/dialects/conductor/wire/summary.ts';
import { taskText } from '../../../packages/server/src/dialects/conductor/wire/task.ts';
import {
  workflowStatusText,
  workflowText,
} from '../../../packages/server/src/dialects/conductor/wire/workflow.ts';
import { runId, sampleRun, sampleStep, stepId } from './dialect-site.ts';

type Fields = Record<string, unknown>;
const read = (text: string | undefined): Fields => JSON.parse(text ?? '') as Fields;

describe('Task', () => {
  it('has every primitive, and no property that is null', () => {
    expect(read(taskText(sampleStep(), sampleRun()))).toEqual({
      taskType: 'charge',
      status: 'IN_PROGRESS',
      inputData: { amount: 5, note: null },
      referenceTaskName: 'charge_ref',
      retryCount: 0,
      seq: 1,
      pollCount: 1,
      taskDefName: 'charge',
      scheduledTime: 1_700_000_000_100,
      startTime: 1_700_000_000_300,
      endTime: 0,
      updateTime: 1_700_000_000_300,
      startDelayInSeconds: 0,
      retried: false,
      executed: false,
      callbackFromWorker: true,
      responseTimeoutSeconds: 3600,
      workflowInstanceId: runId,
      workflowType: 'orders',
      taskId: stepId,
      callbackAfterSeconds: 0,
      workerId: 'w1',
      outputData: {},
      workflowTask: expect.objectContaining({ name: 'charge', type: 'SIMPLE', optional: false }),
      rateLimitPerFrequency: 0,
      rateLimitFrequencyInSeconds: 1,
      workflowPriority: 0,
      iteration: 0,
      subworkflowChanged: false,
      firstStartTime: 0,
      executionMetadata: { additionalContext: {}, additionalContextMap: {}, empty: true },
      queueWaitTime: 200,
      loopOverTask: false,
    });
  });

  it('shows what there is of the rest', () => {
    const task = { name: 'charge', retryCount: 1, rateLimitPerFrequency: 5, rateLimitFrequencyInSeconds: 60 };
    const step = sampleStep({
      definition: { name: 'charge', taskReferenceName: 'charge_ref', taskDefinition: task },
      ref: 'charge_ref__3',
      iteration: 3,
      domain: 'eu',
      reason: 'said "no"\n',
      retriedStepId: runId,
      subRunId: runId,
      endedAt: 1_700_000_001_000,
      parentStepId: runId,
    });
    expect(read(taskText(step, sampleRun({ correlationId: 'c1', priority: 9 })))).toMatchObject({
      referenceTaskName: 'charge_ref__3',
      correlationId: 'c1',
      workflowPriority: 9,
      iteration: 3,
      loopOverTask: true,
      domain: 'eu',
      reasonForIncompletion: 'said "no"\n',
      retriedTaskId: runId,
      subWorkflowId: runId,
      endTime: 1_700_000_001_000,
      rateLimitPerFrequency: 5,
      rateLimitFrequencyInSeconds: 60,
      taskDefinition: { name: 'charge', retryCount: 1, responseTimeoutSeconds: 3600 },
    });
  });

  it('of a type that the server does has no response time-out of its own', () => {
    const step = sampleStep({
      type: 'JOIN',
      definition: { name: 'join', taskReferenceName: 'join', type: 'JOIN' },
      startedAt: undefined,
    });
    expect(read(taskText(step, sampleRun()))).toMatchObject({
      responseTimeoutSeconds: 0,
      rateLimitFrequencyInSeconds: 0,
      startTime: 0,
      queueWaitTime: 0,
    });
  });

  it.each(['HTTP', 'DO_WHILE'])(
    'of the type %s counts the second of its rate limit, as worker steps do',
    (type) => {
      const step = sampleStep({ type, definition: { name: 'x', taskReferenceName: 'x', type } });
      expect(read(taskText(step, sampleRun()))).toMatchObject({
        responseTimeoutSeconds: 0,
        rateLimitFrequencyInSeconds: 1,
      });
    },
  );

  it('that was skipped has no number and no settings of its task', () => {
    const taskDefinition = { name: 'charge', responseTimeoutSeconds: 60 };
    const definition = { name: 'charge', taskReferenceName: 'charge_ref', taskDefinition };
    const step = sampleStep({ status: 'SKIPPED', seq: 2, definition, startedAt: undefined });
    const shown = read(taskText(step, sampleRun()));
    expect(shown).toMatchObject({
      seq: 0,
      updateTime: 0,
      responseTimeoutSeconds: 0,
      rateLimitFrequencyInSeconds: 0,
    });
    expect(shown).not.toHaveProperty('taskDefinition');
    expect(shown).not.toHaveProperty('workflowTask.taskDefinition');
  });

  it('shows definitions in its input as all are', () => {
    const whole = expect.objectContaining({ name: 'x', type: 'SIMPLE', startDelay: 0 });
    const inner = { name: 'x', taskReferenceName: 'x' };
    const fork = sampleStep({ type: 'FORK', input: { forkedTasks: ['x'], forkedTaskDefs: [inner] } });
    expect(read(taskText(fork, sampleRun()))).toMatchObject({
      inputData: { forkedTasks: ['x'], forkedTaskDefs: [whole] },
    });
    const child = sampleStep({
      type: 'SUB_WORKFLOW',
      input: { subWorkflowName: 'w', subWorkflowDefinition: { name: 'w', tasks: [inner] } },
    });
    expect(read(taskText(child, sampleRun()))).toMatchObject({
      inputData: { subWorkflowName: 'w', subWorkflowDefinition: { name: 'w', version: 1, tasks: [whole] } },
    });
  });
});

describe('Workflow', () => {
  it('has every primitive and every empty map and list, and no property that is null', () => {
    expect(read(workflowText({ run: sampleRun(), steps: [] }))).toEqual({
      ownerApp: '',
      createTime: 1_700_000_000_000,
      updateTime: 1_700_000_000_500,
      status: 'RUNNING',
      endTime: 0,
      workflowId: runId,
      tasks: [],
      input: { order: 7 },
      output: {},
      taskToDomain: {},
      failedReferenceTaskNames: [],
      failedTaskNames: [],
      workflowDefinition: expect.objectContaining({ name: 'orders', version: 2, restartable: true }),
      priority: 0,
      variables: {},
      lastRetriedTime: 0,
      history: [],
      rateLimited: false,
      startTime: 1_700_000_000_000,
      workflowName: 'orders',
      workflowVersion: 2,
    });
  });

  it('shows what there is of the rest, and its tasks unless they are not wanted', () => {
    const run = sampleRun({
      status: 'FAILED',
      endedAt: 5,
      correlationId: 'c',
      idempotencyKey: 'key',
      reason: 'why',
      event: 'conductor:x',
      parent: { runId, stepId },
      reRunFrom: runId,
      createdBy: 'ada',
      failedRefs: ['a'],
      failedNames: ['b'],
    });
    const view = { run, steps: [sampleStep()] };
    expect(read(workflowText(view))).toMatchObject({
      status: 'FAILED',
      endTime: 5,
      correlationId: 'c',
      idempotencyKey: 'key',
      reasonForIncompletion: 'why',
      event: 'conductor:x',
      parentWorkflowId: runId,
      parentWorkflowTaskId: stepId,
      reRunFromWorkflowId: runId,
      createdBy: 'ada',
      failedReferenceTaskNames: ['a'],
      failedTaskNames: ['b'],
      tasks: [{ taskId: stepId }],
    });
    expect(read(workflowText(view, false))).toMatchObject({ tasks: [] });
  });

  it('has the tasks that were skipped first', () => {
    const steps = [
      sampleStep(),
      sampleStep({ status: 'SKIPPED', seq: 2, ref: 'b' }),
      sampleStep({ seq: 3, ref: 'c' }),
    ];
    expect(read(workflowText({ run: sampleRun(), steps }))).toMatchObject({
      tasks: [{ referenceTaskName: 'b' }, { referenceTaskName: 'charge_ref' }, { referenceTaskName: 'c' }],
    });
  });

  it('has a status of its own', () => {
    const run = sampleRun({ correlationId: 'c', output: { a: 1 } });
    expect(read(workflowStatusText(run, { output: false, variables: false }))).toEqual({
      workflowId: runId,
      correlationId: 'c',
      status: 'RUNNING',
    });
    expect(read(workflowStatusText(run, { output: true, variables: true }))).toMatchObject({
      output: { a: 1 },
      variables: {},
    });
  });
});

describe('definitions', () => {
  it('come back as they were sent, with defaults for what was left out', () => {
    const step = { name: 'a', taskReferenceName: 'a', type: 'CUSTOM', made: 'up', sink: null };
    expect(read(workflowTaskText(step as never))).toEqual({
      name: 'a',
      taskReferenceName: 'a',
      type: 'CUSTOM',
      made: 'up',
      inputParameters: {},
      decisionCases: {},
      defaultCase: [],
      forkTasks: [],
      startDelay: 0,
      joinOn: [],
      optional: false,
      defaultExclusiveJoinTask: [],
      asyncComplete: false,
      loopOver: [],
      onStateChange: {},
      permissive: false,
      metadata: {},
    });
    expect(read(workflowDefText({ name: 'w', tasks: [step as never] }))).toMatchObject({
      name: 'w',
      version: 1,
      schemaVersion: 2,
      restartable: true,
      timeoutPolicy: 'ALERT_ONLY',
      timeoutSeconds: 0,
      workflowStatusListenerEnabled: false,
      inputParameters: [],
      outputParameters: {},
      variables: {},
      inputTemplate: {},
      createTime: 0,
      updateTime: 0,
      enforceSchema: true,
      metadata: {},
      maskedFields: [],
    });
    expect(read(taskDefText({ name: 't', retryCount: 0, pollTimeoutSeconds: null }))).toEqual({
      name: 't',
      createTime: 0,
      updateTime: 0,
      createdBy: '',
      runtimeMetadata: [],
      taskStatusListenerEnabled: true,
      enforceSchema: false,
      retryCount: 0,
      timeoutSeconds: 0,
      inputKeys: [],
      outputKeys: [],
      timeoutPolicy: 'TIME_OUT_WF',
      retryLogic: 'FIXED',
      retryDelaySeconds: 60,
      responseTimeoutSeconds: 3600,
      inputTemplate: {},
      rateLimitPerFrequency: 0,
      rateLimitFrequencyInSeconds: 1,
      backoffScaleFactor: 1,
      maxRetryDelaySeconds: 0,
      backoffJitterMs: 0,
      totalTimeoutSeconds: 0,
    });
  });

  it('reach into branches, cases and loops', () => {
    const inner = { name: 'x', taskReferenceName: 'x' };
    const outer = {
      name: 'o',
      taskReferenceName: 'o',
      type: 'SWITCH',
      decisionCases: { yes: [inner] },
      defaultCase: [inner],
      forkTasks: [[inner], [inner]],
      loopOver: [inner],
    };
    const shown = read(workflowTaskText(outer));
    const whole = expect.objectContaining({ name: 'x', type: 'SIMPLE', startDelay: 0 });
    expect(shown).toMatchObject({
      decisionCases: { yes: [whole] },
      defaultCase: [whole],
      forkTasks: [[whole], [whole]],
      loopOver: [whole],
    });
    const custom = expect.objectContaining({ name: 'x', type: 'CUSTOM' });
    expect(withCustomSteps({ name: 'w', tasks: [outer] }).tasks[0]).toMatchObject({
      type: 'SWITCH',
      decisionCases: { yes: [custom] },
      loopOver: [custom],
    });
  });
});

describe('summaries', () => {
  it.each([
    [{}, '{}'],
    [{ a: 1, b: 'x y', c: [1, 'z', null], d: { e: true } }, '{a=1, b=x y, c=[1, z, null], d={e=true}}'],
    [
      { big: 12_345_678.5, small: 0.0001, whole: 1e21, half: 0.5 },
      '{big=1.23456785E7, small=1.0E-4, whole=1.0E21, half=0.5}',
    ],
  ])('write %j as Java does', (value, text) => {
    expect(javaText(value)).toBe(text);
  });

  it('of workflows have ISO times', () => {
    const run = sampleRun({ status: 'FAILED', endedAt: 1_700_000_002_000, failedRefs: ['a', 'b'] });
    expect(read(workflowSummaryText(run))).toEqual({
      workflowType: 'orders',
      version: 2,
      workflowId: runId,
      startTime: '2023-11-14T22:13:20.000Z',
      updateTime: '2023-11-14T22:13:20.500Z',
      endTime: '2023-11-14T22:13:22.000Z',
      status: 'FAILED',
      input: '{order=7}',
      output: '{}',
      executionTime: 2_000,
      failedReferenceTaskNames: 'a,b',
      priority: 0,
      failedTaskNames: [],
      taskToDomain: {},
      parentWorkflowId: '',
      classifier: 'workflow',
      inputSize: 9,
      outputSize: 2,
    });
    expect(read(workflowSummaryText(sampleRun()))).not.toHaveProperty('endTime');
  });

  it('of tasks as well', () => {
    const step = sampleStep({ endedAt: 1_700_000_001_300, domain: 'eu' });
    expect(read(taskSummaryText({ step, run: sampleRun() }))).toMatchObject({
      workflowId: runId,
      workflowType: 'orders',
      scheduledTime: '2023-11-14T22:13:20.100Z',
      startTime: '2023-11-14T22:13:20.300Z',
      endTime: '2023-11-14T22:13:21.300Z',
      executionTime: 1_000,
      queueWaitTime: 200,
      input: '{amount=5, note=null}',
      output: '{}',
      taskType: 'charge',
      taskDefName: 'charge',
      domain: 'eu',
      workflowPriority: 0,
    });
  });
});

describe('SignalResponse', () => {
  const inner = sampleRun({ id: stepId, status: 'RUNNING' });
  const step = sampleStep({ type: 'WAIT', ref: 'wait', output: { seen: 1 } });
  const standing = {
    target: { run: sampleRun(), steps: [] },
    blocking: [{ step, run: inner }],
    blockingRun: { run: inner, steps: [step] },
    timedOut: false,
  };
  const head = {
    targetWorkflowId: runId,
    targetWorkflowStatus: 'RUNNING',
    requestId: 'r',
    signalTimeout: false,
  };

  it('shows the run that was asked for', () => {
    expect(read(signalResponseText(standing, 'TARGET_WORKFLOW', 'r'))).toEqual({
      ...head,
      responseType: 'TARGET_WORKFLOW',
      workflowId: runId,
      input: { order: 7 },
      output: {},
      priority: 0,
      variables: {},
      tasks: [],
      createTime: 1_700_000_000_000,
      status: 'RUNNING',
      updateTime: 1_700_000_000_500,
    });
  });

  it('shows the run that blocks', () => {
    expect(read(signalResponseText(standing, 'BLOCKING_WORKFLOW', 'r'))).toMatchObject({
      ...head,
      workflowId: stepId,
      tasks: [{ referenceTaskName: 'wait' }],
    });
  });

  it.each(['BLOCKING_TASK', 'BLOCKING_TASK_INPUT'] as const)('shows the task that blocks: %s', (strategy) => {
    expect(read(signalResponseText(standing, strategy, 'r'))).toEqual({
      ...head,
      responseType: strategy,
      workflowId: stepId,
      input: { amount: 5, note: null },
      output: { seen: 1 },
      taskType: 'WAIT',
      taskId: stepId,
      referenceTaskName: 'wait',
      retryCount: 0,
      taskDefName: 'charge',
      workflowType: 'orders',
      priority: 0,
      createdBy: 'w1',
      createTime: 1_700_000_000_300,
      updateTime: 1_700_000_000_300,
      status: 'IN_PROGRESS',
    });
  });

  it('is nothing where a task was asked for and none blocks', () => {
    const free = { ...standing, blocking: [], blockingRun: undefined };
    expect(signalResponseText(free, 'BLOCKING_TASK', 'r')).toBeUndefined();
    expect(read(signalResponseText(free, 'BLOCKING_WORKFLOW', 'r'))).toMatchObject({ workflowId: runId });
  });
});
