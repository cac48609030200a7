/** Event handlers, rehearsals and places of payloads over a server and PostgreSQL. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Workflows } from '../../../packages/core/src/index.ts';
import { type HttpSite, openHttpSite } from '../../server/http-site.ts';
import { clientOf, simple } from './conductor-site.ts';

let http: HttpSite;
const { call, register, start, take } = clientOf(() => http);

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
