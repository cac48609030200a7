/** Routes of tasks (conductor.md §1.1), in every spelling. */

import { describe, expect } from 'vitest';
import { refusal, runId, sampleRun, sampleStep, stepId } from './dialect-site.ts';
import { openRows, rows, run, signal, task, taskOf, view, workflowOf } from './route-rows.ts';

openRows();
describe.each(['/tasks', '/task'])('tasks as %s', (root) => {
  const poll = { kind: 'charge', workerId: 'w1', count: 1, timeoutMs: 100, signal, confirm: true };
  const result = { workflowInstanceId: runId, taskId: stepId, status: 'COMPLETED', outputData: { ok: true } };
  const report = { stepId, status: 'COMPLETED', output: { ok: true } };
  rows([
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
        [
          'poll',
          {
            kind: 'my/task',
            workerId: '',
            domain: '',
            count: 1_000,
            timeoutMs: 60_000,
            signal,
            confirm: true,
          },
        ],
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
        [
          'poll',
          { kind: 'charge', domain: 'eu', workerId: 'w2', count: 1, timeoutMs: 100, signal, confirm: true },
        ],
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
    { route: `POST ${root}/nowhere/charge_ref/COMPLETED`, body: {}, asks: [] },
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
      asks: [
        [
          'payloads.location',
          { path: 'p', operation: 'WRITE', payloadType: 'TASK_OUTPUT', through: expect.any(String) },
        ] as const,
      ],
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
  rows(
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
  rows([
    {
      route: `GET /tasks/${stepId}`,
      port: unknown,
      status: 404,
      json: expect.objectContaining({ message: `Task not found for taskId: ${stepId}` }),
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
