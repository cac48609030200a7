/** Event handlers, rehearsals, limits of workflows and places of payloads over a server and PostgreSQL. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Workflows } from '../../../packages/core/src/index.ts';
import { type HttpSite, openHttpSite } from '../../server/http-site.ts';
import { clientOf, simple } from './conductor-site.ts';

let http: HttpSite;
const { call, finish, register, start, take } = clientOf(() => http);

beforeAll(async () => {
  http = await openHttpSite();
  await http.site.work(await http.site.queue(), { handlers: {} });
});

afterAll(async () => {
  await http.close();
});

describe('event handlers', () => {
  it('are added, replaced, listed and removed, and start workflows', async () => {
    await register('told', [simple('told_a', 'a', { inputParameters: { seen: `\${workflow.input.seen}` } })]);
    const handler = {
      name: 'on-news',
      event: 'conductor:teller:news',
      active: true,
      actions: [
        {
          action: 'start_workflow',
          start_workflow: { name: 'told', input: { seen: `\${what}` }, correlationId: 'by-news' },
        },
      ],
    };
    expect(await call('POST', '/event', handler)).toMatchObject({ status: 200, text: '' });
    expect(await call('POST', '/event', handler)).toMatchObject({
      status: 409,
      json: { message: 'EventHandler with name on-news already exists!' },
    });
    expect(await call('PUT', '/event', handler)).toMatchObject({ status: 200, text: '' });
    expect((await call('PUT', '/event', { ...handler, name: 'nobody' })).status).toBe(404);
    expect((await call('GET', '/event')).json).toMatchObject([{ name: 'on-news', active: true }]);
    expect((await call('GET', '/event/conductor:teller:news?activeOnly=true')).json).toHaveLength(1);
    expect((await call('GET', '/event/conductor:other')).json).toEqual([]);

    const event = {
      name: 'news',
      taskReferenceName: 'news',
      type: 'EVENT',
      sink: 'conductor:news',
      inputParameters: { what: 7 },
    };
    await register('teller', [event]);
    await start('teller');
    expect(await take('told_a')).toMatchObject({ inputData: { seen: 7 }, correlationId: 'by-news' });

    expect(await call('DELETE', '/event/on-news')).toMatchObject({ status: 200, text: '' });
    expect(await call('DELETE', '/event/on-news')).toMatchObject({
      status: 404,
      json: { message: 'EventHandler with name on-news not found!' },
    });
    expect((await call('POST', '/event', { name: 'empty', event: 'x', actions: [] })).status).toBe(400);
  });
});

describe('rehearsals', () => {
  it('run a workflow with the outcomes that are given, and leave nothing', async () => {
    await register(
      'tried',
      [
        simple('tried_a', 'a', {
          retryCount: 1,
          taskDefinition: { name: 'tried_a', retryCount: 1, retryDelaySeconds: 0 },
        }),
      ],
      {
        outputParameters: { x: `\${a.output.x}` },
      },
    );
    const { status, json } = await call('POST', '/workflow/test', {
      name: 'tried',
      version: 1,
      taskRefToMockOutput: {
        a: [
          { status: 'FAILED', output: {} },
          { output: { x: 1 }, executionTime: 5, queueWaitTime: 3 },
        ],
      },
    });
    expect(status).toBe(200);
    expect(json).toMatchObject({
      status: 'COMPLETED',
      output: { x: 1 },
      tasks: [
        { status: 'FAILED', retried: true },
        { status: 'COMPLETED', retryCount: 1 },
      ],
    });
    expect((await call('GET', `/workflow/${json.workflowId}`)).status).toBe(404);
    expect((await call('GET', "/workflow/search?query=workflowType='tried'")).json.totalHits).toBe(0);
  });
});

describe('payloads that are kept apart', () => {
  const query = 'operation=WRITE&payloadType=WORKFLOW_INPUT';

  it('have a place in the bucket that is named', async () => {
    const lineshaft = http.site.other({
      blobs: {
        put: async () => {},
        get: async () => undefined,
        size: async () => undefined,
        delete: async () => {},
        async *list() {},
        location: async (path, operation) => `https://bucket.example/${path}?${operation}`,
      },
    });
    const { url } = await http.other({ lineshaft, workflows: lineshaft.workflows as unknown as Workflows });
    for (const path of ['tasks/externalstoragelocation', 'workflow/external-storage-location']) {
      const answer = await fetch(`${url}/api/${path}?path=workflow/input/1.json&${query}`);
      expect(await answer.json()).toEqual({
        uri: 'https://bucket.example/workflow/input/1.json?WRITE',
        path: 'workflow/input/1.json',
      });
    }
  });

  it('in a folder have addresses of the server, for one payload and one direction each', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'payloads-'));
    const lineshaft = http.site.other({ blobs: folder });
    const { url } = await http.other({ lineshaft, workflows: lineshaft.workflows as unknown as Workflows });
    // Another server of the installation takes them as well.
    const beside = await http.other({ lineshaft, workflows: lineshaft.workflows as unknown as Workflows });
    const ask = async (operation: string, headers = {}) => {
      const path = `path=workflow/input/mine.json&operation=${operation}&payloadType=WORKFLOW_INPUT`;
      const answer = await fetch(`${url}/api/workflow/externalstoragelocation?${path}`, { headers });
      return (await answer.json()) as { uri: string; path: string };
    };
    const write = await ask('WRITE');
    expect(write.uri).toMatch(new RegExp(`^${url}/api/external-storage/[\\w-]{32}$`));
    const put = await fetch(write.uri.replace(url, beside.url), { method: 'PUT', body: '{"a":"ü"}' });
    expect(put.status).toBe(200);
    expect((await fetch(write.uri)).status).toBe(404);
    const read = await ask('READ');
    expect(await (await fetch(read.uri)).json()).toEqual({ a: 'ü' });
    expect((await fetch(read.uri, { method: 'PUT', body: '{}' })).status).toBe(404);
    expect((await fetch(`${url}/api/external-storage/none`)).status).toBe(404);
    const proxied = await ask('READ', { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'flows.example' });
    expect(proxied.uri).toMatch(/^https:\/\/flows\.example\/api\/external-storage\//);
    const huge = await fetch((await ask('WRITE')).uri, {
      method: 'PUT',
      body: `"${'x'.repeat(10_485_760)}"`,
    });
    expect(huge.status).toBe(413);
    await rm(folder, { recursive: true, force: true });
  });

  it('have none where no store is named', async () => {
    const { status, json } = await call(
      'GET',
      `/tasks/externalstoragelocation?path=task/output/1.json&${query}`,
    );
    expect(status).toBe(503);
    expect(json).toMatchObject({
      code: 'BLOB_UNAVAILABLE',
      message: expect.stringContaining('LINESHAFT_BLOBS'),
    });
  });
});

describe('limits of workflows', () => {
  const limit = (policy: string) => ({
    rateLimitConfig: { rateLimitKey: `\${workflow.input.who}`, concurrentExecLimit: 1, policy },
  });

  it('let those that wait be RUNNING without tasks, and say so', async () => {
    await register('queued', [simple('queued_a', 'a')], limit('QUEUE'));
    const first = await start('queued', { who: 'ada' });
    const second = await start('queued', { who: 'ada' });
    const task = await take('queued_a');
    expect(task.workflowInstanceId).toBe(first);
    expect((await call('GET', `/workflow/${second}`)).json).toMatchObject({
      status: 'RUNNING',
      tasks: [],
      rateLimitKey: 'ada',
      rateLimited: true,
    });
    await finish(task);
    expect((await take('queued_a')).workflowInstanceId).toBe(second);
    expect((await call('GET', `/workflow/${second}`)).json).toMatchObject({ rateLimited: false });
    await call('DELETE', `/workflow/${second}`);
  });

  it('answer 429 to what is not to wait', async () => {
    await register('rejecting', [simple('rejecting_a', 'a')], limit('REJECT'));
    const first = await start('rejecting', { who: 'ada' });
    expect(await call('POST', '/workflow/rejecting', { who: 'ada' })).toMatchObject({
      status: 429,
      json: { code: 'RUN_LIMITED', retryable: true, message: expect.stringContaining('one run under way') },
    });
    await call('DELETE', `/workflow/${first}`);
    await call('DELETE', `/workflow/${await start('rejecting', { who: 'ada' })}`);
  });
});

describe('what SDKs of Orkes ask besides', () => {
  it('starts a workflow by GET and waits for it', async () => {
    await register('quick', [{ name: 'nothing', taskReferenceName: 'n', type: 'NOOP' }]);
    const answer = await call('GET', '/workflow/execute/quick?waitForSeconds=10&requestId=r1');
    expect(answer).toMatchObject({ status: 200, json: { requestId: 'r1', status: 'COMPLETED' } });
    expect((await call('GET', '/workflow/execute/nobody')).status).toBe(404);
    expect((await call('HEAD', '/workflow/execute/quick')).status).toBe(405);
  });

  it('says who one is', async () => {
    expect(await call('GET', '/token/userInfo')).toMatchObject({
      status: 200,
      json: { id: 'local', roles: [] },
    });
  });
});
