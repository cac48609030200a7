/** The dialect over a server and PostgreSQL: what SDKs do in their own tests, call by call, in both spellings. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dial, type HttpSite, openHttpSite } from '../../server/http-site.ts';
import { until } from '../../worker/site.ts';
import { clientOf } from './conductor-site.ts';

let http: HttpSite;

beforeAll(async () => {
  http = await openHttpSite();
});

afterAll(async () => {
  await http.close();
});

const { call } = clientOf(() => http);

/** Registers a workflow of worker steps in a row. */
async function register(name: string, kinds: readonly string[], more: object = {}): Promise<void> {
  const tasks = kinds.map((kind, place) => ({
    name: kind,
    taskReferenceName: `${kind}_${place}`,
    type: 'SIMPLE',
    inputParameters: { from: `\${workflow.input.from}` },
  }));
  expect(await call('POST', '/metadata/workflow', { name, tasks, ...more })).toMatchObject({ status: 200 });
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-7/;

describe.each([
  ['oss', '/tasks', '/metadata/workflow'],
  ['swift', '/task', '/metadata/workflowdef'],
])('a workflow of two tasks, as %s clients write it', (edition, tasks, definitions) => {
  it('is registered, started, worked on and shown', async () => {
    const name = `orders-${edition}`;
    await register(name, [`charge-${edition}`, `ship-${edition}`], {
      outputParameters: { paid: `\${charge-${edition}_0.output.paid}` },
    });
    expect((await call('GET', `${definitions}/${name}`)).json).toMatchObject({
      name,
      version: 1,
      schemaVersion: 2,
    });

    const started = await call('POST', `/workflow/${name}?correlationId=c-${edition}`, { from: 'web' });
    expect(started.text).toMatch(uuid);
    const id = started.text;

    const first = await until('a task', async () => {
      const { json } = await call(
        'GET',
        `${tasks}/poll/batch/charge-${edition}?workerid=w1&count=3&timeout=2000`,
      );
      return json.length > 0 && json;
    });
    expect(first).toHaveLength(1);
    expect(first[0]).toMatchObject({
      status: 'IN_PROGRESS',
      workflowInstanceId: id,
      inputData: { from: 'web' },
      workerId: 'w1',
      pollCount: 1,
      correlationId: `c-${edition}`,
    });
    const { taskId } = first[0];
    expect(await call('GET', `${tasks}/poll/charge-${edition}`)).toMatchObject({ status: 204, text: '' });
    expect(await call('POST', `${tasks}/${taskId}/log`, '"half way"')).toMatchObject({
      status: 200,
      text: '',
    });
    await until('the log', async () => {
      const { json } = await call('GET', `${tasks}/${taskId}/log`);
      return json?.[0]?.log === '"half way"';
    });

    const result = {
      workflowInstanceId: id,
      taskId,
      status: 'COMPLETED',
      outputData: { paid: 5 },
      workerId: 'w1',
    };
    expect(await call('POST', tasks, result)).toMatchObject({ status: 200, text: taskId });
    expect(await call('POST', tasks, result)).toMatchObject({ status: 200, text: taskId });
    const [second] = await until('the next task', async () => {
      const { json } = await call('GET', `${tasks}/poll/batch/ship-${edition}?timeout=2000`);
      return json.length > 0 && json;
    });
    const last = { workflowInstanceId: id, taskId: second.taskId, status: 'COMPLETED', outputData: {} };
    expect((await call('POST', `${tasks}/update-v2`, last)).status).toBe(204);
    const shown = await until('the end', async () => {
      const { json } = await call('GET', `/workflow/${id}`);
      return json.status === 'COMPLETED' && json;
    });
    expect(shown).toMatchObject({
      output: { paid: 5 },
      tasks: [
        { referenceTaskName: `charge-${edition}_0`, status: 'COMPLETED', outputData: { paid: 5 } },
        { referenceTaskName: `ship-${edition}_1`, status: 'COMPLETED' },
      ],
    });
    expect(
      (await call('GET', `/workflow/${name}/correlated/c-${edition}?includeClosed=true`)).json,
    ).toHaveLength(1);
    expect((await call('GET', `${tasks}/queue/polldata?taskType=charge-${edition}`)).status).toBe(200);
    expect((await call('GET', `/workflow/search?query=workflowType='${name}'`)).json).toMatchObject({
      totalHits: 1,
      results: [{ workflowId: id, input: '{from=web}', output: '{paid=5}', status: 'COMPLETED' }],
    });
    expect((await call('DELETE', `/workflow/${id}/remove`, {})).status).toBe(200);
    expect(await call('GET', `/workflow/${id}`)).toMatchObject({
      status: 404,
      json: { message: `Workflow with Id: ${id} not found.` },
    });
  });
});

describe('queue sizes', () => {
  it('count what waits, not what was polled, and the next task is there after an update', async () => {
    await register('sized', ['sized_a', 'sized_a']);
    const ids = [
      (await call('POST', '/workflow/sized', {})).text,
      (await call('POST', '/workflow/sized', {})).text,
    ];
    const size = async () =>
      (await call('GET', '/tasks/queue/sizes?taskType=sized_a')).json.sized_a as number;
    await until('two wait', async () => (await size()) === 2);
    const { json: polled } = await call('GET', '/tasks/poll/sized_a');
    expect(polled.workflowInstanceId).toBe(ids[0]);
    expect(await size()).toBe(1);
    await call('POST', '/tasks', {
      workflowInstanceId: ids[0],
      taskId: polled.taskId,
      status: 'COMPLETED',
      outputData: {},
    });
    await until('two wait again', async () => (await size()) === 2);
  });
});

describe('errors over the whole way', () => {
  it.each([
    ['GET', '/workflow/01890a5d-ac96-774b-bcce-b302099a8057', undefined, 404],
    ['POST', '/workflow/no-such-workflow', {}, 404],
    ['GET', '/metadata/workflow/no-such-workflow', undefined, 404],
    ['DELETE', '/metadata/workflow/no-such-workflow/1', undefined, 404],
    ['GET', '/metadata/taskdefs/no-such-task', undefined, 404],
    ['DELETE', '/metadata/taskdefs/no-such-task', undefined, 404],
    ['POST', '/metadata/workflow', { name: 'empty', tasks: [] }, 400],
    ['POST', '/metadata/workflow', { name: 7, tasks: 'x' }, 400],
    ['POST', '/metadata/taskdefs', [{ name: 'bad', retryCount: -1 }], 400],
    [
      'POST',
      '/tasks',
      { workflowInstanceId: 'x', taskId: '01890a5d-ac96-774b-bcce-b302099a8057', status: 'COMPLETED' },
      404,
    ],
    ['GET', '/tasks/01890a5d-ac96-774b-bcce-b302099a8057', undefined, 404],
    ['GET', '/task/01890a5d-ac96-774b-bcce-b302099a8057', undefined, 204],
    ['GET', '/workflow/search?size=5001', undefined, 400],
  ] as const)('%s %s', async (method, path, body, status) => {
    expect((await call(method, path, body)).status).toBe(status);
  });

  it('a definition that exists', async () => {
    await register('twice', ['twice_a']);
    const again = { name: 'twice', tasks: [{ name: 'a', taskReferenceName: 'a' }] };
    expect(await call('POST', '/metadata/workflow', again)).toMatchObject({
      status: 409,
      json: { message: 'Workflow with twice.1 already exists!' },
    });
    expect((await call('POST', '/metadata/workflow?overwrite=true', again)).status).toBe(200);
  });
});

describe('a worker that goes away while it waits', () => {
  it('takes nothing with it', async () => {
    await register('left', ['left_a']);
    const socket = await dial(http.port);
    socket.write('GET /api/tasks/poll/batch/left_a?timeout=60000&workerid=gone HTTP/1.1\r\nHost: x\r\n\r\n');
    await until('it waits', async () => {
      const { json } = await call('GET', '/tasks/queue/polldata?taskType=left_a');
      return json.length > 0;
    });
    socket.destroy();
    const { text: id } = await call('POST', '/workflow/left', {});
    const [polled] = await until('the task', async () => {
      const { json } = await call('GET', '/tasks/poll/batch/left_a?timeout=1000&workerid=here');
      return json.length > 0 && json;
    });
    expect(polled).toMatchObject({ workflowInstanceId: id, workerId: 'here' });
  });
});
