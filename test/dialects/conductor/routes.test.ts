/** One row for each route of conductor.md §1, in every spelling: what it asks of the port, and what it answers. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDialect, refusal, runId, sampleRun, sampleStep, stepId } from './dialect-site.ts';

const site = openDialect();
const run = sampleRun();
const step = sampleStep();
const view = { run, steps: [step] };
const task = { step, run };
const definition = { name: 'orders', version: 2, tasks: [] };

beforeAll(() => site.app.ready());
afterAll(() => site.close());

interface Row {
  /** `METHOD /path` below /api. */
  readonly route: string;
  readonly body?: unknown;
  /** What the port answers, by method. */
  readonly port?: Readonly<Record<string, unknown>>;
  /** What the port must have been asked, in this order: methods with their arguments. */
  readonly asks?: readonly (readonly [string, ...unknown[]])[];
  readonly status?: number;
  /** A raw text. */
  readonly text?: string;
  readonly json?: unknown;
}

async function check(row: Row): Promise<void> {
  for (const [name, answer] of Object.entries(row.port ?? {})) site.tell(name, answer);
  site.calls.length = 0;
  const [method = '', path = ''] = row.route.split(' ');
  const answered = await site.call(method, `/api${path}`, row.body);
  expect({ status: answered.status, text: answered.text }).toMatchObject({ status: row.status ?? 200 });
  if (row.asks !== undefined) expect(site.calls.map(({ name, args }) => [name, ...args])).toEqual(row.asks);
  if (row.json !== undefined) {
    expect(answered.type).toMatch(/^application\/json/);
    expect(answered.json).toEqual(row.json);
  } else if (row.text !== undefined) {
    expect(answered.type).toMatch(/^text\/plain/);
    expect(answered.text).toBe(row.text);
  } else if ((row.status ?? 200) < 300) {
    expect(answered.text).toBe('');
  }
}

const taskOf = (more: Record<string, unknown> = {}) => expect.objectContaining({ taskId: stepId, ...more });
const workflowOf = (more: Record<string, unknown> = {}) =>
  expect.objectContaining({ workflowId: runId, ...more });
const signal = expect.any(AbortSignal);
const ok = (rows: readonly Row[]) =>
  it.each(rows.map((row) => [row.route, row] as const))('%s', (_, row) => check(row));

describe.each(['/tasks', '/task'])('tasks as %s', (root) => {
  const poll = { kind: 'charge', workerId: 'w1', count: 1, timeoutMs: 100, signal };
  const result = { workflowInstanceId: runId, taskId: stepId, status: 'COMPLETED', outputData: { ok: true } };
  const report = { stepId, status: 'COMPLETED', output: { ok: true } };
  ok([
    {
      route: `GET ${root}/poll/charge?workerid=w1`,
      port: { poll: [task] },
      asks: [['poll', poll]],
      json: taskOf({ status: 'IN_PROGRESS', inputData: { amount: 5, note: null } }),
    },
    {
      route: `GET ${root}/poll/charge?workerid=w1&domain=eu`,
      port: { poll: [] },
      asks: [['poll', { ...poll, domain: 'eu' }]],
      status: 204,
    },
    {
      route: `GET ${root}/poll/batch/charge?workerid=w1&count=7&timeout=900`,
      port: { poll: [task, task] },
      asks: [['poll', { ...poll, count: 7, timeoutMs: 900 }]],
      json: [taskOf(), taskOf()],
    },
    { route: `GET ${root}/poll/batch/charge`, port: { poll: [] }, json: [] },
    { route: `GET ${root}/poll/batch/charge?count=0`, asks: [], json: [] },
    {
      route: `GET ${root}/poll/batch/my%2Ftask?timeout=60000&count=5000&domain=`,
      port: { poll: [] },
      asks: [
        ['poll', { kind: 'my/task', workerId: '', domain: '', count: 1_000, timeoutMs: 60_000, signal }],
      ],
      json: [],
    },
    { route: `POST ${root}`, body: result, port: { report: task }, asks: [['report', report]], text: stepId },
    {
      route: `POST ${root}`,
      body: {
        ...result,
        status: 'IN_PROGRESS',
        unknown: 1,
        workerId: 'w1',
        reasonForIncompletion: 'r'.repeat(600),
        callbackAfterSeconds: 30,
        logs: [{ log: 'line', createdTime: 17, taskId: 'x' }],
        extendLease: true,
        outputData: null,
      },
      port: { report: undefined },
      asks: [
        [
          'report',
          {
            stepId,
            status: 'IN_PROGRESS',
            output: {},
            workerId: 'w1',
            reason: 'r'.repeat(500),
            callbackAfterSeconds: 30,
            logs: [{ log: 'line', createdTime: 17 }],
            extendLease: true,
          },
        ],
      ],
      text: stepId,
    },
    {
      route: `POST ${root}/update-v2`,
      body: { ...result, workerId: 'w2' },
      port: { report: { step: sampleStep({ domain: 'eu' }), run }, poll: [task] },
      asks: [
        ['report', { ...report, workerId: 'w2' }],
        ['poll', { kind: 'charge', domain: 'eu', workerId: 'w2', count: 1, timeoutMs: 100, signal }],
      ],
      json: taskOf(),
    },
    { route: `POST ${root}/update-v2`, body: result, port: { report: task, poll: [] }, status: 204 },
    {
      route: `POST ${root}/update-v2`,
      body: { ...result, status: 'IN_PROGRESS' },
      port: { report: task },
      asks: [['report', { ...report, status: 'IN_PROGRESS' }]],
      status: 204,
    },
    { route: `POST ${root}/update-v2`, body: result, port: { report: undefined }, status: 204 },
    {
      route: `POST ${root}/${runId}/charge_ref/COMPLETED?workerid=w1`,
      body: { a: 1 },
      port: { reportByRef: task },
      asks: [
        [
          'reportByRef',
          runId,
          'charge_ref',
          { status: 'COMPLETED', output: { a: 1 }, merge: true, workerId: 'w1' },
        ],
      ],
      text: stepId,
    },
    { route: `POST ${root}/${runId}/charge_ref/COMPLETED`, body: {}, port: { reportByRef: undefined } },
    {
      route: `POST ${root}/${runId}/charge_ref/FAILED/sync`,
      body: { a: 1 },
      port: { reportByRef: task, show: view },
      asks: [
        ['reportByRef', runId, 'charge_ref', { status: 'FAILED', output: { a: 1 }, merge: true }],
        ['show', runId],
      ],
      json: workflowOf(),
    },
    {
      route: `POST ${root}/${runId}/charge_ref/FAILED/sync`,
      port: { reportByRef: undefined },
      status: 404,
      json: expect.objectContaining({
        status: 404,
        message: expect.stringContaining('no running task charge_ref'),
      }),
    },
    {
      route: `POST ${root}/${runId}/COMPLETED/signal`,
      body: { a: 1 },
      port: { signal: undefined },
      asks: [['signal', runId, 'COMPLETED', { a: 1 }]],
    },
    {
      route: `POST ${root}/${runId}/COMPLETED/signal/sync?requestId=r`,
      body: {},
      port: { signal: task, show: { run: sampleRun({ status: 'COMPLETED' }), steps: [] } },
      json: expect.objectContaining({
        responseType: 'TARGET_WORKFLOW',
        targetWorkflowStatus: 'COMPLETED',
        signalTimeout: false,
      }),
    },
    { route: `POST ${root}/${runId}/COMPLETED/signal/sync`, port: { signal: undefined }, status: 404 },
    {
      route: `GET ${root}/${stepId}`,
      port: { showStep: task },
      asks: [['showStep', stepId]],
      json: taskOf(),
    },
    {
      route: `POST ${root}/${stepId}/log`,
      body: '"Polled task..."',
      port: { addLog: undefined },
      asks: [['addLog', stepId, { log: '"Polled task..."', createdTime: expect.any(Number) }]],
    },
    {
      route: `GET ${root}/${stepId}/log`,
      port: { logs: [{ log: '"Polled task..."', createdTime: 3 }] },
      json: [{ log: '"Polled task..."', createdTime: 3, taskId: stepId }],
    },
    {
      route: `GET ${root}/queue/sizes?taskType=a&taskType=b`,
      port: { queueSizes: new Map([['a', 2]]) },
      asks: [['queueSizes', ['a', 'b']]],
      json: { a: 2, b: 0 },
    },
    { route: `GET ${root}/queue/size?taskType=a`, port: { queueSizes: new Map([['a', 2]]) }, json: 2 },
    {
      route: `GET ${root}/queue/size?taskType=a&domain=eu&isolationGroupId=g&executionNamespace=n`,
      port: { queueSizes: new Map([['eu:a@n-g', 4]]) },
      asks: [['queueSizes', ['eu:a@n-g']]],
      json: 4,
    },
    {
      route: `GET ${root}/queue/all`,
      port: {
        queueSizes: new Map([
          ['b', 1],
          ['a', 2],
        ]),
      },
      json: { _deciderQueue: 0, a: 2, b: 1 },
    },
    {
      route: `GET ${root}/queue/all/verbose`,
      port: { queueSizes: new Map([['b', 1]]) },
      json: { _deciderQueue: { a: { size: 0, uacked: 0 } }, b: { a: { size: 1, uacked: 0 } } },
    },
    {
      route: `POST ${root}/queue/requeue/charge`,
      port: { requeue: 3 },
      asks: [['requeue', 'charge']],
      text: '3',
    },
    {
      route: `GET ${root}/search?query=status%3D'FAILED'&sort=startTime:DESC&size=5&start=10&freeText=x`,
      port: { searchSteps: { totalHits: 1, results: [task] } },
      asks: [
        [
          'searchSteps',
          { query: "status='FAILED'", sort: 'startTime:DESC', size: 5, start: 10, freeText: 'x' },
        ],
      ],
      json: {
        totalHits: 1,
        results: [taskOf({ startTime: '2023-11-14T22:13:20.300Z', input: '{amount=5, note=null}' })],
      },
    },
    {
      route: `GET ${root}/search-v2`,
      port: { searchSteps: { totalHits: 1, results: [task] } },
      json: { totalHits: 1, results: [taskOf({ inputData: { amount: 5, note: null } })] },
    },
    ...['externalstoragelocation', 'external-storage-location'].map((name) => ({
      route: `GET ${root}/${name}?path=p&operation=WRITE&payloadType=TASK_OUTPUT`,
      port: { 'payloads.location': { uri: 'http://x', path: 'p' } },
      asks: [['payloads.location', { path: 'p', operation: 'WRITE', payloadType: 'TASK_OUTPUT' }] as const],
      json: { uri: 'http://x', path: 'p' },
    })),
  ]);
});

describe('poll data in both spellings', () => {
  const records = [
    { kind: 'charge', domain: 'eu', workerId: 'w1', at: 5 },
    { kind: 'charge', domain: undefined, workerId: 'w2', at: 6 },
  ];
  const shown = [
    { queueName: 'charge', domain: 'eu', workerId: 'w1', lastPollTime: 5 },
    { queueName: 'charge', workerId: 'w2', lastPollTime: 6 },
  ];
  ok(
    ['/tasks/queue/polldata', '/task/queue/poll-data'].flatMap((path) => [
      {
        route: `GET ${path}?taskType=charge`,
        port: { pollRecords: records },
        asks: [['pollRecords', 'charge']],
        json: shown,
      },
      { route: `GET ${path}/all`, port: { pollRecords: records }, asks: [['pollRecords']], json: shown },
    ]),
  );
});

describe('what the editions answer differently', () => {
  const unknown = { showStep: refusal('STEP_NOT_FOUND', { stepId }) };
  ok([
    {
      route: `GET /tasks/${stepId}`,
      port: unknown,
      status: 404,
      json: expect.objectContaining({ message: `No such task found by id: ${stepId}` }),
    },
    { route: `GET /task/${stepId}`, port: unknown, status: 204 },
    { route: `GET /tasks/${stepId}/log`, port: { logs: [] }, status: 204 },
    { route: `GET /task/${stepId}/log`, port: { logs: [] }, json: [] },
    {
      route: 'POST /metadata/workflowdef?overwrite=true',
      body: { name: 'w', tasks: [{ name: 'a', taskReferenceName: 'a' }] },
      port: { putWorkflow: undefined },
      asks: [
        [
          'putWorkflow',
          { name: 'w', tasks: [{ name: 'a', taskReferenceName: 'a', type: 'CUSTOM' }] },
          { overwrite: false },
        ],
      ],
    },
    {
      route: 'POST /metadata/workflow?overwrite=true',
      body: { name: 'w', tasks: [{ name: 'a', taskReferenceName: 'a' }] },
      port: { putWorkflow: undefined },
      asks: [
        ['putWorkflow', { name: 'w', tasks: [{ name: 'a', taskReferenceName: 'a' }] }, { overwrite: true }],
      ],
    },
  ]);
});

describe('workflows', () => {
  const start = { name: 'orders', input: {}, priority: 0, taskToDomain: {} };
  ok([
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
      port: { show: view },
      asks: [['show', runId, { steps: true }]],
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
        show: {
          run,
          steps: [step, sampleStep({ status: 'COMPLETED' }), sampleStep({ status: 'COMPLETED', seq: 3 })],
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
  ok([
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
  const whole = { totalHits: 5, results: [workflowOf({ input: { order: 7 }, tasks: [taskOf()] })] };
  ok([
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
  const both = {
    bulkErrorResults: {},
    bulkSuccessfulResults: [runId, other],
    message: 'Bulk Request has been processed.',
  };
  ok([
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
        bulkErrorResults: { nowhere: 'Workflow with Id: nowhere not found.' },
        bulkSuccessfulResults: [workflowOf({ tasks: [] })],
        message: both.message,
      },
    },
    {
      route: 'PUT /workflow/bulk/pause',
      body: [runId, 'nowhere'],
      port: { pause: refusal('RUN_STATE', {}, 'it has ended') },
      json: {
        bulkErrorResults: { [runId]: 'it has ended', nowhere: 'Workflow with Id: nowhere not found.' },
        bulkSuccessfulResults: [],
        message: both.message,
      },
    },
    { route: 'PUT /workflow/bulk/pause', body: Array.from({ length: 1_001 }, () => runId), status: 400 },
    { route: 'PUT /workflow/bulk/pause', body: [], status: 400 },
  ]);
});

describe.each(['/metadata/workflow', '/metadata/workflowdef'])('workflow definitions as %s', (root) => {
  const versions = [definition, { ...definition, version: 3, createTime: 5 }];
  ok([
    {
      route: `POST ${root}`,
      body: definition,
      port: { putWorkflow: undefined },
      asks: [['putWorkflow', definition, { overwrite: false }]],
    },
    {
      route: `PUT ${root}`,
      body: [definition],
      asks: [['putWorkflow', definition, { overwrite: true }]],
      json: {
        bulkErrorResults: {},
        bulkSuccessfulResults: ['orders'],
        message: 'Bulk Request has been processed.',
      },
    },
    { route: `POST ${root}/validate`, body: definition, asks: [['checkWorkflow', definition]] },
    {
      route: `GET ${root}`,
      port: { listWorkflows: versions },
      json: [expect.objectContaining({ version: 2 }), expect.objectContaining({ version: 3 })],
    },
    {
      route: `GET ${root}/latest-versions`,
      asks: [['listWorkflows', { latestOnly: true }]],
      json: expect.any(Array),
    },
    {
      route: `GET ${root}/names-and-versions`,
      json: {
        orders: [
          { name: 'orders', version: 2 },
          { name: 'orders', version: 3, createTime: 5 },
        ],
      },
    },
    { route: `GET ${root}/names`, port: { listWorkflows: [definition] }, json: ['orders'] },
    {
      route: `GET ${root}/orders/versions`,
      asks: [['listWorkflows', { name: 'orders' }]],
      json: [{ name: 'orders', version: 2 }],
    },
    {
      route: `GET ${root}/orders`,
      port: { getWorkflow: definition },
      asks: [['getWorkflow', 'orders', undefined]],
      json: expect.objectContaining({ name: 'orders', schemaVersion: 2 }),
    },
    { route: `GET ${root}/orders?version=2`, asks: [['getWorkflow', 'orders', 2]], json: expect.anything() },
    { route: `DELETE ${root}/orders/2`, asks: [['deleteWorkflow', 'orders', 2]] },
  ]);
});

describe.each(['/metadata/taskdefs', '/metadata/taskdef'])('task definitions as %s', (root) => {
  const charge = { name: 'charge', retryCount: 1 };
  ok([
    {
      route: `POST ${root}`,
      body: [charge, { name: 'b' }],
      port: { putTask: undefined },
      asks: [
        ['putTask', charge],
        ['putTask', { name: 'b' }],
      ],
    },
    {
      route: `PUT ${root}`,
      body: charge,
      port: { getTask: charge },
      asks: [
        ['getTask', 'charge'],
        ['putTask', charge],
      ],
    },
    {
      route: `PUT ${root}`,
      body: charge,
      port: { getTask: refusal('TASK_NOT_FOUND', { name: 'charge' }) },
      status: 404,
    },
    {
      route: `GET ${root}`,
      port: { listTasks: [charge] },
      json: [expect.objectContaining({ name: 'charge', retryDelaySeconds: 60 })],
    },
    {
      route: `GET ${root}/charge`,
      port: { getTask: charge },
      asks: [['getTask', 'charge']],
      json: expect.objectContaining(charge),
    },
    { route: `DELETE ${root}/charge`, asks: [['deleteTask', 'charge']] },
  ]);
});

describe('event handlers', () => {
  const handler = { name: 'h', event: 'conductor:a:b', actions: [{ action: 'start_workflow' }] };
  ok([
    { route: 'POST /event', body: handler, asks: [['events.put', handler, 'create']] },
    { route: 'PUT /event', body: handler, asks: [['events.put', handler, 'replace']] },
    {
      route: 'GET /event',
      port: { 'events.list': [handler] },
      asks: [['events.list']],
      json: [{ active: false, ...handler }],
    },
    {
      route: 'GET /event/conductor:a:b?activeOnly=false',
      asks: [['events.list', { event: 'conductor:a:b', activeOnly: false }]],
      json: [{ active: false, ...handler }],
    },
    {
      route: 'GET /event/x',
      asks: [['events.list', { event: 'x', activeOnly: true }]],
      json: expect.any(Array),
    },
    { route: 'DELETE /event/h', asks: [['events.delete', 'h']] },
  ]);
});

describe('the queue of outside completions', () => {
  const merged = (externalId: Record<string, string>) => ({
    status: 'COMPLETED',
    merge: true,
    output: { a: 1, externalId: JSON.stringify(externalId) },
  });
  ok([
    { route: 'GET /queue/size', json: {} },
    { route: 'GET /queue/', json: { COMPLETED: 'conductor:COMPLETED', FAILED: 'conductor:FAILED' } },
    { route: 'GET /queue', json: expect.anything() },
    {
      route: `POST /queue/update/${runId}/wait_ref/COMPLETED`,
      body: { a: 1 },
      port: { reportByRef: task },
      asks: [['reportByRef', runId, 'wait_ref', merged({ taskRefName: 'wait_ref', workflowId: runId })]],
    },
    {
      route: `POST /queue/update/${runId}/task/${stepId}/COMPLETED`,
      body: { a: 1 },
      asks: [['report', { stepId, ...merged({ taskId: stepId, workflowId: runId }) }]],
    },
    { route: `POST /queue/update/${runId}/wait_ref/CANCELED`, body: {}, asks: [], status: 400 },
  ]);
});

describe('administration', () => {
  ok(
    [
      { route: 'GET /admin/config', json: expect.objectContaining({ version: expect.any(String) }) },
      {
        route: 'GET /admin/task/charge?start=1&count=2',
        port: { searchSteps: { totalHits: 1, results: [task] } },
        asks: [
          [
            'searchSteps',
            { query: 'taskType = "charge" AND status IN (SCHEDULED,IN_PROGRESS)', start: 1, size: 2 },
          ],
        ],
        json: [taskOf()],
      },
      { route: `POST /admin/sweep/requeue/${runId}`, asks: [['decide', runId]], text: `true.${runId}` },
      { route: `POST /admin/consistency/verifyAndRepair/${runId}`, asks: [['decide', runId]], text: 'false' },
      {
        route: `POST /admin/consistency/verify-and-repair/${runId}`,
        asks: [['decide', runId]],
        text: 'false',
      },
      { route: 'GET /admin/queues?verbose=true', json: {} },
      { route: 'GET /health', json: { healthResults: [], suppressedHealthResults: [], healthy: true } },
      { route: 'GET /version', text: expect.any(String) as unknown as string },
      { route: 'GET /environment', json: {} },
      { route: 'GET /secrets', json: [] },
    ].filter(({ route }) => route !== 'GET /version'),
  );

  it('GET /health at the root', async () => {
    expect((await site.call('GET', '/health')).json).toMatchObject({ healthy: true });
  });

  it('GET /version', async () => {
    const answered = await site.call('GET', '/api/version');
    expect(answered.type).toMatch(/^text\/plain/);
    expect(answered.text).toMatch(/^\d+\.\d+\.\d+/);
  });
});

describe('schedules', () => {
  const schedule = {
    name: 'nightly',
    cronExpression: '0 0 0 * * ?',
    startWorkflowRequest: { name: 'orders' },
  };
  const shown = { paused: false, runCatchupScheduleInstances: false, zoneId: 'UTC', ...schedule };
  ok([
    {
      route: 'POST /scheduler/schedules',
      body: schedule,
      port: { 'schedules.put': schedule },
      asks: [['schedules.put', schedule]],
      json: shown,
    },
    {
      route: 'GET /scheduler/schedules/nightly',
      port: { 'schedules.get': schedule },
      asks: [['schedules.get', 'nightly']],
      json: shown,
    },
    { route: 'DELETE /scheduler/schedules/nightly', asks: [['schedules.delete', 'nightly']], status: 204 },
    ...['PUT', 'GET'].flatMap((verb) => [
      {
        route: `${verb} /scheduler/schedules/nightly/pause?reason=why`,
        asks: [['schedules.pause', 'nightly', 'why'] as const],
      },
      {
        route: `${verb} /scheduler/schedules/nightly/resume`,
        asks: [['schedules.resume', 'nightly'] as const],
      },
    ]),
    {
      route: 'GET /scheduler/schedules',
      port: { 'schedules.list': [schedule] },
      asks: [['schedules.list', {}]],
      json: [shown],
    },
    {
      route: 'GET /scheduler/schedules?workflowName=orders',
      asks: [['schedules.list', { workflow: 'orders' }]],
      json: [shown],
    },
    {
      route: 'GET /scheduler/schedules/search?scheduleName=night&paused=false',
      json: { totalHits: 1, results: [shown] },
    },
    { route: 'GET /scheduler/schedules/search?paused=true', json: { totalHits: 0, results: [] } },
    {
      route:
        'GET /scheduler/nextFewSchedules?cronExpression=0%20*%20*%20*%20*%20?&limit=2&scheduleStartTime=5&scheduleEndTime=9',
      port: { 'schedules.next': [6, 7] },
      asks: [['schedules.next', { cronExpression: '0 * * * * ?', limit: 2, from: 5, to: 9 }]],
      json: [6, 7],
    },
    {
      route: 'GET /scheduler/search/executions?start=1&size=2&query=q',
      port: { 'schedules.executions': { totalHits: 0, results: [] } },
      asks: [['schedules.executions', { start: 1, size: 2, query: 'q' }]],
      json: { totalHits: 0, results: [] },
    },
    {
      route: 'PUT /scheduler/bulk/pause',
      body: ['nightly'],
      asks: [['schedules.pause', 'nightly']],
      json: {
        bulkErrorResults: {},
        bulkSuccessfulResults: ['nightly'],
        message: 'Bulk Request has been processed.',
      },
    },
    {
      route: 'PUT /scheduler/bulk/resume',
      body: ['nightly'],
      asks: [['schedules.resume', 'nightly']],
      json: expect.anything(),
    },
    {
      route: 'GET /scheduler/admin/pause',
      asks: [['schedules.list'], ['schedules.pause', 'nightly']],
      json: { schedules: 1 },
    },
    {
      route: 'GET /scheduler/admin/resume',
      asks: [['schedules.list'], ['schedules.resume', 'nightly']],
      json: { schedules: 1 },
    },
    { route: 'GET /scheduler/admin/requeue', asks: [['schedules.list']], json: { schedules: 1 } },
  ]);
});

describe('requests', () => {
  it('are answered alike whatever they accept and whatever type they say', async () => {
    site.tell('start', runId);
    const headers = { accept: 'application/xml', 'content-type': 'text/plain' };
    const answered = await site.call('POST', '/api/workflow/orders', '{"a":1}', headers);
    expect(answered).toMatchObject({ status: 200, text: runId });
    expect(site.calls[0]?.args[0]).toMatchObject({ input: { a: 1 } });
  });

  it('may have the body {} where none is wanted', async () => {
    site.tell('pause', undefined);
    expect(await site.call('PUT', `/api/workflow/${runId}/pause`, {})).toMatchObject({
      status: 200,
      text: '',
    });
    expect(await site.call('DELETE', `/api/workflow/${runId}`, {})).toMatchObject({ status: 200, text: '' });
  });
});
