/** Changing runs over a server and PostgreSQL, with the statuses that conductor.md §1.2 names. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpSite, openHttpSite } from '../../server/http-site.ts';
import { until } from '../../worker/site.ts';
import { clientOf, simple } from './conductor-site.ts';

let http: HttpSite;
const { call, register, start, take, finish, settled } = clientOf(() => http);

beforeAll(async () => {
  http = await openHttpSite();
});

afterAll(async () => {
  await http.close();
});

const status = async (method: string, path: string, body?: unknown) =>
  (await call(method, path, body)).status;

describe('the life of a workflow as the SDKs test it', () => {
  it('start, pause, resume, terminate, restart, skip, remove', async () => {
    await register('life', [simple('life_a', 'a'), simple('life_b', 'b')]);
    const id = await start('life', { a: 5, b: '+', c: [7, 8] });
    expect((await call('GET', `/workflow/${id}?includeTasks=false`)).json).toMatchObject({
      status: 'RUNNING',
      input: { a: 5, b: '+', c: [7, 8] },
      tasks: [],
    });
    expect(await call('PUT', `/workflow/${id}/pause`, {})).toMatchObject({ status: 200, text: '' });
    expect(await status('PUT', `/workflow/${id}/pause`, {})).toBe(200);
    await settled(id, 'PAUSED');
    expect(await status('PUT', `/workflow/${id}/resume`, {})).toBe(200);
    await settled(id, 'RUNNING');
    expect(await call('PUT', `/workflow/${id}/resume`, {})).toMatchObject({
      status: 500,
      json: { status: 500, message: expect.stringContaining('not PAUSED') },
    });
    expect(await status('DELETE', `/workflow/${id}?reason=enough`, {})).toBe(200);
    expect(await settled(id, 'TERMINATED')).toMatchObject({ reasonForIncompletion: 'enough' });
    expect(await status('DELETE', `/workflow/${id}`, {})).toBe(200);
    expect(await status('PUT', `/workflow/${id}/pause`, {})).toBe(409);
    expect(await call('POST', `/workflow/${id}/restart`, {})).toMatchObject({ status: 204, text: '' });
    await settled(id, 'RUNNING');
    expect(await status('POST', `/workflow/${id}/restart`, {})).toBe(409);
    expect(await status('PUT', `/workflow/${id}/skip-task/b`, {})).toBe(200);
    expect(await status('PUT', `/workflow/${id}/skiptask/nothing`, {})).toBe(500);
    await finish(await take('life_a'));
    expect(await settled(id, 'COMPLETED')).toMatchObject({
      tasks: [{ referenceTaskName: 'b', status: 'SKIPPED' }, { referenceTaskName: 'a' }],
    });
    expect(await status('DELETE', `/workflow/${id}`, {})).toBe(409);
    expect(await status('POST', `/workflow/${id}/resetcallbacks`, {})).toBe(409);
    expect(await status('DELETE', `/workflow/${id}/remove`, {})).toBe(200);
    expect(await status('GET', `/workflow/${id}`)).toBe(404);
  });

  it('retry and rerun', async () => {
    await register('again', [simple('again_a', 'a', { retryCount: 0 }), simple('again_b', 'b')]);
    const id = await start('again');
    expect(await status('POST', `/workflow/${id}/retry`, {})).toBe(404);
    expect(await status('POST', `/workflow/${id}/rerun`, {})).toBe(409);
    await finish(await take('again_a'), {}, 'FAILED');
    await settled(id, 'FAILED');
    expect(await call('POST', `/workflow/${id}/retry`, {})).toMatchObject({ status: 204, text: '' });
    const retried = await take('again_a');
    expect(retried).toMatchObject({ workflowInstanceId: id, retryCount: 1 });
    await finish(retried);
    const second = await take('again_b');
    await finish(second);
    await settled(id, 'COMPLETED');
    expect(await status('POST', `/workflow/${id}/retry`, {})).toBe(409);
    expect(await status('POST', `/workflow/${id}/rerun`, { reRunFromTaskId: id })).toBe(400);
    expect(await call('POST', `/workflow/${id}/rerun`, { reRunFromTaskId: second.taskId })).toMatchObject({
      status: 200,
      text: id,
    });
    const rerun = await take('again_b');
    expect(rerun.taskId).toBe(second.taskId);
    await finish(rerun);
    await settled(id, 'COMPLETED');
  });

  it('a workflow that may not be restarted', async () => {
    await register('once', [simple('once_a')], { restartable: false });
    const id = await start('once');
    await finish(await take('once_a'));
    await settled(id, 'COMPLETED');
    expect(await status('POST', `/workflow/${id}/restart`, {})).toBe(404);
  });
});

describe('bulk', () => {
  it('changes each for itself', async () => {
    await register('many', [simple('many_a')]);
    const ids = [await start('many'), await start('many')];
    const nowhere = '01890a5d-ac96-774b-bcce-b302099a8057';
    expect((await call('PUT', '/workflow/bulk/pause', [...ids, nowhere])).json).toEqual({
      bulkErrorResults: { [nowhere]: `No such workflow found by id: ${nowhere}` },
      bulkSuccessfulResults: ids,
      message: 'Bulk Request has been processed.',
    });
    expect((await call('PUT', '/workflow/bulk/resume', ids)).json).toMatchObject({
      bulkSuccessfulResults: ids,
    });
    expect((await call('PUT', '/workflow/bulk/resume', ids)).json).toMatchObject({
      bulkSuccessfulResults: [],
    });
    expect((await call('POST', '/workflow/bulk/terminate?reason=all', ids)).json).toMatchObject({
      bulkSuccessfulResults: ids,
    });
    expect((await call('POST', '/workflow/bulk/restart', ids)).json).toMatchObject({
      bulkSuccessfulResults: ids,
    });
    expect((await call('DELETE', '/workflow/bulk/terminate-remove', ids)).json).toMatchObject({
      bulkSuccessfulResults: ids,
    });
    expect(await status('GET', `/workflow/${ids[0]}`)).toBe(404);
  });
});

const wait = (ref: string) => ({ name: ref, taskReferenceName: ref, type: 'WAIT' });

describe('synchronous calls', () => {
  it('answer when the workflow has ended', async () => {
    const set = { name: 'set', taskReferenceName: 'set', type: 'SET_VARIABLE', inputParameters: { seen: 1 } };
    await register('quick', [set], { outputParameters: { seen: `\${workflow.variables.seen}` } });
    const { json } = await call('POST', '/workflow/execute/quick/1?requestId=r1&consistency=SYNCHRONOUS', {
      name: 'quick',
      version: 1,
      input: {},
    });
    expect(json).toMatchObject({
      responseType: 'TARGET_WORKFLOW',
      requestId: 'r1',
      targetWorkflowStatus: 'COMPLETED',
      status: 'COMPLETED',
      output: { seen: 1 },
      variables: { seen: 1 },
      signalTimeout: false,
    });
    expect(await status('POST', '/workflow/execute/quick/9', {})).toBe(404);
  });

  it('answer when a WAIT waits, also within a sub-workflow, and go on by signals', async () => {
    await register('inner', [wait('inner_wait')]);
    const sub = {
      name: 'sub',
      taskReferenceName: 'sub',
      type: 'SUB_WORKFLOW',
      subWorkflowParam: { name: 'inner' },
    };
    await register('outer', [wait('first'), sub, wait('last')]);
    const blocked = await call('POST', '/workflow/execute/outer/1?returnStrategy=BLOCKING_TASK', {});
    expect(blocked.json).toMatchObject({
      responseType: 'BLOCKING_TASK',
      referenceTaskName: 'first',
      taskType: 'WAIT',
      targetWorkflowStatus: 'RUNNING',
    });
    const id: string = blocked.json.targetWorkflowId;
    const inside = await call('POST', `/tasks/${id}/COMPLETED/signal/sync?returnStrategy=BLOCKING_WORKFLOW`, {
      a: 1,
    });
    expect(inside.json).toMatchObject({
      responseType: 'BLOCKING_WORKFLOW',
      targetWorkflowId: id,
      tasks: [{ referenceTaskName: 'inner_wait', status: 'IN_PROGRESS' }],
    });
    expect(inside.json.workflowId).not.toBe(id);
    const last = await call('POST', `/tasks/${id}/COMPLETED/signal/sync?returnStrategy=BLOCKING_TASK_INPUT`, {
      b: 2,
    });
    expect(last.json).toMatchObject({ referenceTaskName: 'last', workflowId: id });
    expect(await call('POST', `/tasks/${id}/COMPLETED/signal`, { c: 3 })).toMatchObject({
      status: 200,
      text: '',
    });
    const shown = await settled(id, 'COMPLETED');
    expect(shown.tasks[0]).toMatchObject({ status: 'COMPLETED', outputData: { a: 1 } });
    expect(await status('POST', `/tasks/${id}/COMPLETED/signal`, {})).toBe(200);
    expect(await status('POST', `/tasks/${id}/COMPLETED/signal/sync`, {})).toBe(404);
  });

  it('answer with how it stands when the time is over', async () => {
    await register('slow', [simple('slow_a')]);
    const { json } = await call('POST', '/workflow/execute/slow/0?waitForSeconds=1', {});
    expect(json).toMatchObject({ signalTimeout: true, status: 'RUNNING', tasks: [{ status: 'SCHEDULED' }] });
  });

  it('update by reference, and show the workflow', async () => {
    await register('by-ref', [simple('by_ref_a', 'a'), wait('w')]);
    const id = await start('by-ref');
    expect((await call('POST', `/tasks/${id}/a/COMPLETED/sync`, { x: 1 })).json).toMatchObject({
      workflowId: id,
      tasks: [
        { referenceTaskName: 'a', status: 'COMPLETED', outputData: { x: 1 } },
        { referenceTaskName: 'w' },
      ],
    });
    expect(await call('POST', `/tasks/${id}/a/COMPLETED`, {})).toMatchObject({ status: 200, text: '' });
    expect(await status('POST', `/tasks/${id}/a/COMPLETED/sync`, {})).toBe(404);
    expect(await status('POST', `/queue/update/${id}/w/COMPLETED`, { by: 'queue' })).toBe(200);
    const shown = await settled(id, 'COMPLETED');
    expect(shown.tasks[1].outputData).toMatchObject({ by: 'queue', externalId: expect.any(String) });
  });
});

describe('schedules', () => {
  it('are made, paused and resumed by either method, fire, and are removed', async () => {
    await register('ticked', [simple('ticked_a')]);
    const schedule = {
      name: 'often',
      cronExpression: '*/1 * * * * *',
      startWorkflowRequest: { name: 'ticked', input: { by: 'schedule' }, correlationId: 'ticks' },
      paused: true,
    };
    expect(await call('POST', '/scheduler/schedules', schedule)).toMatchObject({
      status: 200,
      json: { name: 'often' },
    });
    expect((await call('GET', '/scheduler/schedules/often')).json).toMatchObject({
      paused: true,
      zoneId: 'UTC',
    });
    expect(await status('GET', '/scheduler/schedules/often/resume')).toBe(200);
    expect((await call('GET', '/scheduler/schedules?workflowName=ticked')).json).toMatchObject([
      { paused: false },
    ]);
    await http.site.work(await http.site.queue(), { handlers: {} });
    expect(await take('ticked_a')).toMatchObject({ inputData: {}, correlationId: 'ticks' });
    expect(await status('PUT', '/scheduler/schedules/often/pause?reason=enough')).toBe(200);
    expect((await call('GET', '/scheduler/schedules/often')).json).toMatchObject({ paused: true });
    await until('it is in the list', async () => {
      const { json } = await call('GET', '/scheduler/search/executions?freeText=*');
      return json.totalHits > 0;
    });
    expect(await status('DELETE', '/scheduler/schedules/often')).toBe(200);
    expect(await status('GET', '/scheduler/schedules/often')).toBe(404);
    const next = await call(
      'GET',
      '/scheduler/nextFewSchedules?cronExpression=0%20*/5%20*%20%3F%20*%20*&limit=3',
    );
    expect(next.json).toHaveLength(3);
  });
});
