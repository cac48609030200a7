/** The rows of the table of errors in conductor.md §0, and the words that SDKs compare. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDialect, refusal, runId, stepId } from './dialect-site.ts';

const site = openDialect();

beforeAll(() => site.app.ready());
afterAll(() => site.close());

interface Case {
  readonly route: string;
  readonly body?: unknown;
  readonly port?: Readonly<Record<string, unknown>>;
  readonly status: number;
  readonly message?: string | RegExp;
  readonly validationErrors?: unknown;
  readonly retryable?: boolean;
}

async function check(row: Case): Promise<void> {
  for (const [name, answer] of Object.entries(row.port ?? {})) site.tell(name, answer);
  const [method = '', path = ''] = row.route.split(' ');
  const answered = await site.call(method, `/api${path}`, row.body);
  expect(answered.type).toMatch(/^application\/json/);
  const body = answered.json as Record<string, unknown>;
  expect({ ...body, http: answered.status }).toMatchObject({
    http: row.status,
    status: row.status,
    code: expect.any(String),
    message: expect.any(String),
    instance: expect.stringMatching(/.+/),
    retryable: row.retryable ?? false,
  });
  if (row.message !== undefined) {
    expect(body.message).toEqual(
      typeof row.message === 'string' ? row.message : expect.stringMatching(row.message),
    );
  }
  if (row.validationErrors === undefined) expect(body).not.toHaveProperty('validationErrors');
  else expect(body.validationErrors).toEqual(row.validationErrors);
}

const rows = (cases: readonly Case[]) =>
  it.each(cases.map((row) => [row.route, row.status, row] as const))('%s → %i', (_route, _status, row) =>
    check(row),
  );

describe('not found: 404', () => {
  const run = { code: 'RUN_NOT_FOUND' as const, message: `Workflow with Id: ${runId} not found.` };
  rows([
    {
      route: `GET /workflow/${runId}`,
      port: { showWritten: refusal(run.code, { runId }) },
      status: 404,
      message: run.message,
    },
    { route: 'GET /workflow/nowhere', status: 404, message: 'Workflow with Id: nowhere not found.' },
    { route: 'PUT /workflow/nowhere/pause', status: 404, message: 'No such workflow found by id: nowhere' },
    { route: 'GET /tasks/nowhere', status: 404, message: 'Task not found for taskId: nowhere' },
    { route: 'POST /tasks/nowhere/a/COMPLETED/sync', body: {}, status: 404 },
    { route: 'POST /tasks/nowhere/COMPLETED/signal', body: {}, status: 404 },
    {
      route: 'POST /workflow',
      body: { name: 'none' },
      port: { start: refusal('WORKFLOW_NOT_FOUND', { name: 'none' }) },
      status: 404,
      message: 'No such workflow defined. name=none, version=null',
    },
    {
      route: 'DELETE /metadata/workflow/none/3',
      port: { deleteWorkflow: refusal('WORKFLOW_NOT_FOUND', { name: 'none', version: 3 }) },
      status: 404,
      message: 'No such workflow definition: none version: 3',
    },
    {
      route: 'DELETE /metadata/taskdefs/none',
      port: { deleteTask: refusal('TASK_NOT_FOUND', { name: 'none' }) },
      status: 404,
      message: 'No such task definition',
    },
    {
      route: 'PUT /metadata/taskdefs',
      body: { name: 'none' },
      port: { getTask: refusal('TASK_NOT_FOUND', { name: 'none' }) },
      status: 404,
      message: 'No such task by name none',
    },
    {
      route: 'GET /scheduler/schedules/none',
      port: { 'schedules.get': refusal('SCHEDULE_NOT_FOUND', { schedule: 'none' }) },
      status: 404,
      message: "Schedule 'none' not found",
    },
    { route: 'DELETE /workflow/nowhere/remove', status: 404 },
    {
      route: 'POST /workflow/none',
      body: {},
      port: { start: refusal('WORKFLOW_NOT_FOUND', { name: 'none', version: 3 }) },
      status: 404,
      message: 'No such workflow found by name: none, version: 3',
    },
    {
      route: 'GET /metadata/workflow/none',
      port: { getWorkflow: refusal('WORKFLOW_NOT_FOUND', { name: 'none' }) },
      status: 404,
      message: 'No such workflow found by name: none, version: null',
    },
    {
      route: 'GET /metadata/taskdefs/none',
      port: { getTask: refusal('TASK_NOT_FOUND', { name: 'none' }) },
      status: 404,
      message: 'No such taskType found by name: none',
    },
    {
      route: 'POST /tasks',
      body: { workflowInstanceId: runId, taskId: 'nowhere', status: 'COMPLETED' },
      status: 404,
      message: 'No such task found by id: nowhere',
    },
    {
      route: 'PUT /event',
      body: { name: 'h' },
      port: { 'events.put': refusal('EVENT_HANDLER_NOT_FOUND', { name: 'h' }) },
      status: 404,
      message: 'EventHandler with name h not found!',
    },
    { route: 'GET /nowhere', status: 404 },
  ]);
});

describe('conflict: 409', () => {
  const ended = refusal('RUN_STATE', { runId, status: 'COMPLETED' }, 'it has ended');
  rows([
    {
      route: 'POST /metadata/workflow',
      body: { name: 'w', tasks: [] },
      port: { putWorkflow: refusal('WORKFLOW_EXISTS', { name: 'w', version: 1 }) },
      status: 409,
      message: 'Workflow with w.1 already exists!',
    },
    {
      route: 'POST /event',
      body: { name: 'h' },
      port: { 'events.put': refusal('EVENT_HANDLER_EXISTS', { name: 'h' }) },
      status: 409,
      message: 'EventHandler with name h already exists!',
    },
    { route: `PUT /workflow/${runId}/pause`, port: { pause: ended }, status: 409 },
    {
      route: `POST /workflow/${runId}/rerun`,
      body: {},
      port: { rerun: refusal('RUN_STATE', { status: 'RUNNING' }) },
      status: 409,
    },
    { route: `DELETE /workflow/${runId}`, port: { terminate: ended }, status: 409 },
    { route: `POST /workflow/${runId}/resetcallbacks`, port: { resetCallbacks: ended }, status: 409 },
    {
      route: `POST /workflow/${runId}/restart`,
      port: { restart: refusal('RUN_STATE', { status: 'RUNNING' }) },
      status: 409,
    },
    { route: `POST /workflow/${runId}/retry`, port: { retry: ended }, status: 409 },
  ]);
});

describe('wrong states that are 404', () => {
  rows([
    {
      route: `POST /workflow/${runId}/restart`,
      port: { restart: refusal('RUN_STATE', { status: 'COMPLETED' }) },
      status: 404,
    },
    {
      route: `POST /workflow/${runId}/retry`,
      port: { retry: refusal('RUN_STATE', { status: 'RUNNING' }) },
      status: 404,
    },
  ]);
});

describe('bad arguments: 400', () => {
  rows([
    {
      route: 'GET /tasks/poll/batch/a?timeout=60001',
      status: 400,
      message: /^Long Poll Timeout value cannot be more than 60 seconds/,
    },
    { route: 'GET /tasks/poll/batch/a?count=-1', status: 400 },
    { route: 'GET /tasks/poll/batch/a?count=many', status: 400 },
    {
      route: 'GET /tasks/externalstoragelocation?path=p&operation=STEAL&payloadType=TASK_INPUT',
      status: 400,
    },
    { route: 'GET /tasks/externalstoragelocation?path=p&operation=READ&payloadType=NOTHING', status: 400 },
    {
      route: 'POST /workflow',
      body: { name: 'w', input: null },
      status: 400,
      message: 'NULL input passed when starting workflow',
    },
    { route: 'POST /workflow', body: { name: 'w', input: [1] }, status: 400 },
    { route: 'POST /workflow', body: [1], status: 400 },
    { route: `POST /tasks/${runId}/ref/DONE`, body: {}, status: 400 },
    {
      route: 'POST /tasks',
      body: { workflowInstanceId: runId, taskId: stepId, status: 'DONE' },
      status: 400,
    },
    {
      route: `POST /workflow/${runId}/rerun`,
      body: { reRunFromTaskId: stepId },
      port: { rerun: refusal('STEP_NOT_FOUND', { stepId }) },
      status: 400,
    },
    {
      route: `POST /workflow/${runId}/rerun`,
      body: { reRunFromTaskId: 'nowhere' },
      status: 400,
      message: 'Task nowhere not found',
    },
    { route: 'POST /workflow/execute/w/1?returnStrategy=ANY', body: {}, status: 400 },
    { route: 'POST /metadata/taskdefs', body: [5], status: 400 },
    { route: 'POST /workflow/w', body: '{"a":', status: 400 },
  ]);
});

describe('validation: 400 with all that is wrong', () => {
  const message = 'Validation failed, check below errors for detail.';
  const violations = [{ path: 'tasks', message: 'WorkflowTask list cannot be empty' }];
  rows([
    {
      route: 'POST /metadata/workflow',
      body: { name: 'w', tasks: [] },
      port: { putWorkflow: refusal('DEFINITION_INVALID', { violations }) },
      status: 400,
      message,
      validationErrors: [
        { path: 'registerWorkflowDef.arg0.tasks', message: 'WorkflowTask list cannot be empty' },
      ],
    },
    {
      route: 'POST /metadata/taskdefs',
      body: [{ name: 'a' }],
      port: { putTask: refusal('DEFINITION_INVALID', { violations: [{ path: '', message: 'wrong' }] }) },
      status: 400,
      message,
      validationErrors: [{ path: 'registerTaskDef.arg0[0]', message: 'wrong' }],
    },
    { route: 'POST /metadata/taskdefs', body: [], status: 400, message, validationErrors: expect.any(Array) },
    { route: 'PUT /metadata/workflow', body: [], status: 400, message, validationErrors: expect.any(Array) },
    {
      route: 'POST /tasks',
      body: {},
      status: 400,
      message,
      validationErrors: [
        { path: 'updateTask.arg0.taskId', message: 'Task ID cannot be null or empty' },
        { path: 'updateTask.arg0.workflowInstanceId', message: 'Workflow Id cannot be null or empty' },
      ],
    },
    {
      route: 'POST /workflow',
      body: {},
      status: 400,
      message,
      validationErrors: [
        { path: 'startWorkflow.arg0.name', message: 'Workflow name cannot be null or empty' },
      ],
    },
    {
      route: 'POST /workflow',
      body: { name: 'w', priority: 100 },
      status: 400,
      message,
      validationErrors: [
        {
          path: 'startWorkflow.arg0.priority',
          message: 'priority: 100 should be maximum 99',
          invalidValue: '100',
        },
      ],
    },
    {
      route: 'GET /workflow/search?size=5001',
      status: 400,
      message,
      validationErrors: [
        {
          path: 'searchWorkflows.arg1',
          message: 'Cannot return more than 5000 workflows. Please use pagination.',
          invalidValue: '5001',
        },
      ],
    },
    {
      route: 'PUT /workflow/bulk/pause',
      body: [],
      status: 400,
      message,
      validationErrors: expect.any(Array),
    },
  ]);
});

describe('what Conductor calls an error of the server: 500', () => {
  rows([
    {
      route: `PUT /workflow/${runId}/resume`,
      port: { resume: refusal('RUN_STATE', { status: 'RUNNING' }) },
      status: 500,
    },
    {
      route: `PUT /workflow/${runId}/skiptask/a`,
      body: {},
      port: { skip: refusal('RUN_STATE', {}) },
      status: 500,
    },
    { route: 'GET /tasks/queue/size', status: 500, message: /'taskType'.*is not present/ },
    { route: 'GET /tasks/queue/polldata', status: 500 },
    { route: 'GET /scheduler/nextFewSchedules', status: 500 },
    {
      route: `GET /workflow/${runId}`,
      port: { showWritten: new Error('secret') },
      status: 500,
      message: /^(?!.*secret)/,
    },
    {
      route: `GET /workflow/${runId}`,
      port: { showWritten: refusal('DATABASE_UNAVAILABLE') },
      status: 500,
      retryable: true,
    },
  ]);
});

describe('methods that a path does not take: 405', () => {
  rows([{ route: 'DELETE /scheduler/schedules', status: 405 }]);
});
