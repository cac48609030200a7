/** Routes of definitions, events, queues, administration and schedules (conductor.md §1.3, §1.4), in every spelling. */

import { describe, expect, it } from 'vitest';
import { refusal, runId, stepId } from './dialect-site.ts';
import { definition, openRows, rows, site, task, taskOf } from './route-rows.ts';

openRows();
describe.each(['/metadata/workflow', '/metadata/workflowdef'])('workflow definitions as %s', (root) => {
  const versions = [definition, { ...definition, version: 3, createTime: 5 }];
  rows([
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
          { name: 'orders', version: 2, createTime: 0, updateTime: 0 },
          { name: 'orders', version: 3, createTime: 5, updateTime: 0 },
        ],
      },
    },
    { route: `GET ${root}/names`, port: { listWorkflows: [definition] }, json: ['orders'] },
    {
      route: `GET ${root}/orders/versions`,
      asks: [['listWorkflows', { name: 'orders' }]],
      json: [{ name: 'orders', version: 2, createTime: 0, updateTime: 0 }],
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
  rows([
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
  const shownHandler = {
    ...handler,
    active: false,
    actions: [{ action: 'start_workflow', expandInlineJSON: false }],
  };
  rows([
    { route: 'POST /event', body: handler, asks: [['events.put', handler, 'create']] },
    { route: 'PUT /event', body: handler, asks: [['events.put', handler, 'replace']] },
    {
      route: 'GET /event',
      port: { 'events.list': [handler] },
      asks: [['events.list']],
      json: [shownHandler],
    },
    {
      route: 'GET /event/conductor:a:b?activeOnly=false',
      asks: [['events.list', { event: 'conductor:a:b', activeOnly: false }]],
      json: [shownHandler],
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
  rows([
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
  rows([
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
    { route: 'GET /environment', json: [] },
    { route: 'GET /secrets', json: [] },
  ]);

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
  const shown = {
    ...schedule,
    paused: false,
    runCatchupScheduleInstances: false,
    zoneId: 'UTC',
    createdBy: '',
    updatedBy: '',
    cronSchedules: [],
    startWorkflowRequest: { name: 'orders', input: {}, taskToDomain: {}, priority: 0 },
  };
  rows([
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
    { route: 'DELETE /scheduler/schedules/nightly', asks: [['schedules.delete', 'nightly']] },
    {
      route: 'DELETE /scheduler/schedules/none',
      port: { 'schedules.delete': refusal('SCHEDULE_NOT_FOUND', { schedule: 'none' }) },
      asks: [['schedules.delete', 'none']],
    },
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
      json: { status: 'done' },
    },
    {
      route: 'GET /scheduler/admin/resume',
      asks: [['schedules.list'], ['schedules.resume', 'nightly']],
      json: { status: 'done' },
    },
    { route: 'GET /scheduler/admin/requeue', asks: [], json: { sampleIds: [], 'recordIds.size': 0 } },
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
