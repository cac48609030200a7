/** Routes of workflows (conductor.md §1.2), in every spelling. */

import { describe, expect, it } from 'vitest';
import { refusal, runId, sampleRun, sampleStep, stepId } from './dialect-site.ts';
import {
  definition,
  openRows,
  rows,
  run,
  site,
  step,
  task,
  taskOf,
  view,
  workflowOf,
  writtenOf,
} from './route-rows.ts';

openRows();
describe('workflows', () => {
  const start = { name: 'orders', input: {}, priority: 0, taskToDomain: {} };
  rows([
    {
      route: 'POST /workflow',
      body: {
        name: 'orders',
        version: 2,
        correlationId: 'c',
        input: { a: null },
        priority: 9,
        taskToDomain: { '*': 'eu' },
        createdBy: 'ada',
        idempotencyKey: 'k',
        idempotencyStrategy: 'RETURN_EXISTING',
        workflowDef: definition,
        unknown: 1,
      },
      port: { start: runId },
      asks: [
        [
          'start',
          {
            ...start,
            version: 2,
            correlationId: 'c',
            input: { a: null },
            priority: 9,
            taskToDomain: { '*': 'eu' },
            createdBy: 'ada',
            idempotencyKey: 'k',
            idempotencyStrategy: 'RETURN_EXISTING',
            definition,
          },
        ],
      ],
      text: runId,
    },
    {
      route: 'POST /workflow',
      body: { name: 'orders' },
      port: { start: runId },
      asks: [['start', start]],
      text: runId,
    },
    {
      route: 'POST /workflow/orders?version=3&correlationId=c&priority=4',
      body: { a: 1 },
      port: { start: runId },
      asks: [['start', { ...start, version: 3, correlationId: 'c', priority: 4, input: { a: 1 } }]],
      text: runId,
    },
    { route: 'POST /workflow/orders', port: { start: runId }, asks: [['start', start]], text: runId },
    {
      route: `GET /workflow/${runId}`,
      port: { showWritten: { run, steps: [writtenOf(step)] } },
      asks: [['showWritten', runId]],
      json: workflowOf({ tasks: [taskOf()] }),
    },
    {
      route: `GET /workflow/${runId}?includeTasks=false`,
      port: { show: view },
      asks: [['show', runId, { steps: false }]],
      json: workflowOf({ tasks: [] }),
    },
    {
      route: `GET /workflow/${runId}/tasks?start=1&count=1&status=COMPLETED`,
      port: {
        showWritten: {
          run,
          steps: [step, sampleStep({ status: 'COMPLETED' }), sampleStep({ status: 'COMPLETED', seq: 3 })].map(
            writtenOf,
          ),
        },
      },
      json: { totalHits: 2, results: [taskOf({ seq: 3 })] },
    },
    {
      route: `GET /workflow/${runId}/status`,
      port: { show: view },
      json: { workflowId: runId, status: 'RUNNING' },
    },
    {
      route: `GET /workflow/${runId}/status?includeOutput=true&includeVariables=true`,
      port: { show: view },
      json: { workflowId: runId, status: 'RUNNING', output: {}, variables: {} },
    },
    {
      route: 'GET /workflow/orders/correlated/c%201?includeClosed=true&includeTasks=true',
      port: { correlated: [view] },
      asks: [['correlated', ['orders'], ['c 1'], { closed: true, steps: true }]],
      json: [workflowOf({ tasks: [taskOf()] })],
    },
    {
      route: 'POST /workflow/orders/correlated',
      body: ['c', 'd'],
      port: { correlated: [{ run: sampleRun({ correlationId: 'c' }), steps: [] }] },
      asks: [['correlated', ['orders'], ['c', 'd'], { closed: false, steps: false }]],
      json: { c: [workflowOf()], d: [] },
    },
    {
      route: 'POST /workflow/correlated/batch',
      body: { workflowNames: ['orders', 'more'], correlationIds: ['c'] },
      port: { correlated: [] },
      asks: [['correlated', ['orders', 'more'], ['c'], { closed: false, steps: false }]],
      json: { c: [] },
    },
    {
      route: 'GET /workflow/running/orders',
      port: { running: [runId] },
      asks: [['running', 'orders', 1, undefined]],
      json: [runId],
    },
    {
      route: 'GET /workflow/running/orders?version=4&startTime=5&endTime=6',
      port: { running: [] },
      asks: [['running', 'orders', 4, { from: 5, to: 6 }]],
      json: [],
    },
    { route: `PUT /workflow/decide/${runId}`, asks: [['decide', runId]] },
    { route: `PUT /workflow/${runId}/pause`, asks: [['pause', runId]] },
    { route: `PUT /workflow/${runId}/resume`, asks: [['resume', runId]] },
    ...['skiptask', 'skip-task'].map((name) => ({
      route: `PUT /workflow/${runId}/${name}/charge_ref`,
      body: { taskInput: { a: 1 }, taskOutput: { b: 2 } },
      asks: [['skip', runId, 'charge_ref', { input: { a: 1 }, output: { b: 2 } }] as const],
    })),
    {
      route: `POST /workflow/${runId}/rerun`,
      body: { reRunFromTaskId: stepId, taskInput: { a: 1 }, workflowInput: { b: 2 }, correlationId: 'c' },
      port: { rerun: runId },
      asks: [
        ['rerun', runId, { fromStepId: stepId, stepInput: { a: 1 }, runInput: { b: 2 }, correlationId: 'c' }],
      ],
      text: runId,
    },
    {
      route: `POST /workflow/${runId}/restart?useLatestDefinitions=true`,
      asks: [['restart', runId, { useLatestDefinitions: true }]],
      status: 204,
    },
    {
      route: `POST /workflow/${runId}/retry?resumeSubworkflowTasks=true`,
      asks: [['retry', runId, { resumeSubworkflowTasks: true }]],
      status: 204,
    },
    { route: `POST /workflow/${runId}/resetcallbacks`, asks: [['resetCallbacks', runId]], status: 204 },
    { route: `POST /workflow/${runId}/reset-callbacks`, asks: [['resetCallbacks', runId]], status: 204 },
    {
      route: `DELETE /workflow/${runId}?reason=no&triggerFailureWorkflow=true`,
      asks: [['terminate', runId, { reason: 'no', triggerFailureWorkflow: true }]],
    },
    { route: `DELETE /workflow/${runId}/remove?archiveWorkflow=false`, asks: [['remove', runId]] },
    {
      route: `DELETE /workflow/${runId}/terminate-remove?reason=no`,
      port: { show: view },
      asks: [
        ['show', runId, { steps: false }],
        ['terminate', runId, { reason: 'no' }],
        ['remove', runId],
      ],
    },
    {
      route: `DELETE /workflow/${runId}/terminate-remove`,
      port: { show: { run: sampleRun({ status: 'FAILED' }), steps: [] } },
      asks: [
        ['show', runId, { steps: false }],
        ['remove', runId],
      ],
    },
    ...['externalstoragelocation', 'external-storage-location'].map((name) => ({
      route: `GET /workflow/${name}?path=p&operation=READ&payloadType=WORKFLOW_INPUT`,
      port: { 'payloads.location': { uri: 'http://x', path: 'p' } },
      json: { uri: 'http://x', path: 'p' },
    })),
    {
      route: 'POST /workflow/test',
      body: {
        name: 'orders',
        workflowDef: definition,
        taskRefToMockOutput: {
          charge_ref: [{ output: { a: 1 } }, { status: 'FAILED', executionTime: 5, queueWaitTime: 6 }],
        },
        subWorkflowTestRequest: { sub: { name: 'inner' } },
      },
      port: { rehearse: view },
      asks: [
        [
          'rehearse',
          {
            start: { ...start, definition },
            outcomes: {
              charge_ref: [
                { status: 'COMPLETED', output: { a: 1 }, executionTime: 0, queueWaitTime: 0 },
                { status: 'FAILED', output: {}, executionTime: 5, queueWaitTime: 6 },
              ],
            },
            subWorkflows: { sub: { start: { ...start, name: 'inner' }, outcomes: {}, subWorkflows: {} } },
          },
        ],
      ],
      json: workflowOf(),
    },
    {
      route: `POST /workflow/${runId}/messages`,
      body: { a: 1 },
      port: { sendMessage: 'm1' },
      asks: [['sendMessage', runId, { a: 1 }]],
      text: 'm1',
    },
  ]);
});

describe('synchronous starts', () => {
  const ended = { run: sampleRun({ status: 'COMPLETED', output: { x: 1 } }), steps: [] };
  const waiting = { run, steps: [sampleStep({ type: 'WAIT', ref: 'wait' })] };
  rows([
    {
      route: 'POST /workflow/execute/orders/2?requestId=r&waitForSeconds=1&consistency=REGION_DURABLE',
      body: { name: 'other', version: 9, input: { a: 1 } },
      port: { start: runId, show: ended },
      asks: [
        ['start', expect.objectContaining({ name: 'orders', version: 2, input: { a: 1 } })],
        ['show', runId],
      ],
      json: expect.objectContaining({
        requestId: 'r',
        responseType: 'TARGET_WORKFLOW',
        output: { x: 1 },
        signalTimeout: false,
      }),
    },
    {
      route: 'POST /workflow/execute/orders/0?returnStrategy=BLOCKING_TASK',
      body: {},
      port: { start: runId, show: waiting },
      asks: [
        ['start', expect.not.objectContaining({ version: expect.anything() })],
        ['show', runId],
      ],
      json: expect.objectContaining({ responseType: 'BLOCKING_TASK', referenceTaskName: 'wait' }),
    },
    {
      route: 'POST /workflow/execute/orders?returnStrategy=BLOCKING_TASK_INPUT',
      body: {},
      port: { start: runId, show: ended },
    },
    {
      route: 'POST /workflow/execute/orders/1?waitUntilTaskRef=a,charge_ref&returnStrategy=BLOCKING_WORKFLOW',
      body: {},
      port: { start: runId, show: { run, steps: [sampleStep({ status: 'COMPLETED' })] } },
      json: expect.objectContaining({
        responseType: 'BLOCKING_WORKFLOW',
        status: 'RUNNING',
        signalTimeout: false,
      }),
    },
  ]);

  it('say so when the time is over, and show how the workflow stands', async () => {
    site.tell('signal', task);
    site.tell('show', { run, steps: [step] });
    const answered = await site.call('POST', `/api/tasks/${runId}/COMPLETED/signal/sync?timeoutMillis=0`, {});
    expect(answered.json).toMatchObject({ signalTimeout: true, status: 'RUNNING' });
  });

  it('look again when a run within the run has changed', async () => {
    const child = sampleRun({ id: stepId, revision: 1 });
    let shown = 0;
    site.tell('start', runId);
    site.tell('show', (id: string) => {
      if (id === runId) return { run, steps: [sampleStep({ type: 'SUB_WORKFLOW', subRunId: stepId })] };
      shown += 1;
      return { run: child, steps: shown === 1 ? [] : [sampleStep({ type: 'WAIT', ref: 'inner' })] };
    });
    site.tell(
      'waitForRun',
      (id: string, done: (seen: unknown) => boolean, { signal: over }: { signal: AbortSignal }) =>
        id === stepId && done({ run: { ...child, revision: 2 } })
          ? undefined
          : new Promise((resolve) => over.addEventListener('abort', resolve)),
    );
    const answered = await site.call(
      'POST',
      '/api/workflow/execute/orders/1?returnStrategy=BLOCKING_TASK',
      {},
    );
    expect(answered.json).toMatchObject({
      referenceTaskName: 'inner',
      workflowId: stepId,
      signalTimeout: false,
    });
  });
});

describe('searches of workflows', () => {
  const summary = {
    totalHits: 5,
    results: [workflowOf({ input: '{order=7}', startTime: '2023-11-14T22:13:20.000Z' })],
  };
  const whole = { totalHits: 5, results: [workflowOf({ input: { order: 7 }, tasks: [] })] };
  rows([
    {
      route: 'GET /workflow/search?classifier=nightly&topLevelOnly=true',
      port: { searchRuns: { totalHits: 5, results: [run] } },
      asks: [['searchRuns', { start: 0, size: 100, classifier: 'nightly', topLevelOnly: true }]],
      json: summary,
    },
    {
      route: 'GET /workflow/search?query=a&freeText=*&sort=x:ASC&start=2&size=3&queryId=q&skipCache=true',
      port: { searchRuns: { totalHits: 5, results: [run] } },
      asks: [['searchRuns', { query: 'a', freeText: '*', sort: 'x:ASC', start: 2, size: 3 }]],
      json: summary,
    },
    {
      route: 'GET /workflow/search-v2',
      port: { searchRuns: { totalHits: 5, results: [run] }, show: view },
      json: whole,
    },
    {
      route: 'GET /workflow/search-by-tasks',
      port: { searchSteps: { totalHits: 5, results: [task, task] }, show: view },
      json: summary,
    },
    {
      route: 'GET /workflow/search-by-tasks-v2',
      port: { searchSteps: { totalHits: 5, results: [task] }, show: view },
      json: whole,
    },
  ]);
});

describe('bulk', () => {
  const other = stepId;
  // Conductor's own model, unlike everywhere else.
  const model = (tasks: readonly unknown[]) =>
    expect.objectContaining({ workflowId: runId, updatedTime: run.updatedAt, tasks });
  const both = {
    bulkErrorResults: {},
    bulkSuccessfulResults: [runId, other],
    message: 'Bulk Request has been processed.',
  };
  rows([
    {
      route: 'PUT /workflow/bulk/pause',
      body: [runId, other],
      asks: [
        ['pause', runId],
        ['pause', other],
      ],
      json: both,
    },
    {
      route: 'PUT /workflow/bulk/resume',
      body: [runId, other],
      asks: [
        ['resume', runId],
        ['resume', other],
      ],
      json: both,
    },
    {
      route: 'POST /workflow/bulk/restart?useLatestDefinitions=true',
      body: [runId],
      asks: [['restart', runId, { useLatestDefinitions: true }]],
      json: { ...both, bulkSuccessfulResults: [runId] },
    },
    {
      route: 'POST /workflow/bulk/retry',
      body: [runId, other],
      asks: [
        ['retry', runId],
        ['retry', other],
      ],
      json: both,
    },
    {
      route: 'POST /workflow/bulk/terminate?reason=no',
      body: [runId],
      asks: [['terminate', runId, { reason: 'no', triggerFailureWorkflow: false }]],
      json: { ...both, bulkSuccessfulResults: [runId] },
    },
    {
      route: 'DELETE /workflow/bulk/remove',
      body: [runId, other],
      asks: [
        ['remove', runId],
        ['remove', other],
      ],
      json: both,
    },
    {
      route: 'DELETE /workflow/bulk/terminate-remove',
      body: [runId],
      port: { show: view },
      json: { ...both, bulkSuccessfulResults: [runId] },
    },
    {
      route: 'POST /workflow/bulk/search?includeTasks=false',
      body: [runId, 'nowhere'],
      port: { show: view },
      json: {
        bulkErrorResults: { nowhere: 'No such workflow found by id: nowhere' },
        bulkSuccessfulResults: [model([])],
        message: both.message,
      },
    },
    {
      route: 'POST /workflow/bulk/search',
      body: [runId],
      port: { show: view },
      json: { ...both, bulkSuccessfulResults: [model([expect.objectContaining({ taskId: stepId })])] },
    },
    {
      route: 'PUT /workflow/bulk/pause',
      body: [runId, 'nowhere'],
      port: { pause: refusal('RUN_STATE', {}, 'it has ended') },
      json: {
        bulkErrorResults: { [runId]: 'it has ended', nowhere: 'No such workflow found by id: nowhere' },
        bulkSuccessfulResults: [],
        message: both.message,
      },
    },
    { route: 'PUT /workflow/bulk/pause', body: Array.from({ length: 1_001 }, () => runId), status: 400 },
    { route: 'PUT /workflow/bulk/pause', body: [], status: 400 },
  ]);
});
