/** HTTP steps of runs: any worker makes the requests, without a handler for it. */

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunView } from '../../packages/core/src/workflow/port.ts';
import { freshName, openSite, type Site, versions } from '../worker/site.ts';

describe.each(versions)('HTTP steps on PostgreSQL %s', (version) => {
  let site: Site;
  let server: Server;
  let uri = '';
  let calls = 0;

  beforeAll(async () => {
    site = await openSite(version);
    server = createServer((request, response) => {
      calls += 1;
      if (request.url === '/busy' && calls % 2 === 1) response.writeHead(503).end('{"wait":true}');
      else response.end(JSON.stringify({ path: request.url, by: request.headers['x-run'] }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await site.work('workflow', { handlers: {} });
  });

  afterAll(async () => {
    server?.closeAllConnections();
    server?.close();
    await site?.close();
  });

  const request = (path: string, more: object = {}) => ({
    name: 'call',
    taskReferenceName: 'call',
    type: 'HTTP',
    inputParameters: {
      http_request: { uri: `${uri}${path}`, method: 'GET', headers: { 'x-run': '${workflow.workflowId}' } },
    },
    ...more,
  });

  async function run(step: object, done: (view: RunView) => boolean): Promise<RunView> {
    const name = freshName('http');
    await site.lineshaft.workflows.putWorkflow({ name, tasks: [step as never] }, { overwrite: false });
    const runId = await site.lineshaft.workflows.start({ name });
    return await site.lineshaft.workflows.waitForRun(runId, done, { timeoutMs: 20_000 });
  }
  const ended = ({ run }: RunView) => run.endedAt !== undefined;

  it('complete with the answer', async () => {
    const view = await run(request('/ok'), ended);
    expect(view.run.status).toBe('COMPLETED');
    expect(view.steps[0]?.output).toMatchObject({
      response: { statusCode: 200, reasonPhrase: 'OK', body: { path: '/ok', by: view.run.id } },
    });
  });

  it('fail with the answer, and are tried again as their task says', async () => {
    calls = 0;
    const taskDefinition = { name: 'call', retryCount: 1, retryDelaySeconds: 0 };
    const view = await run(request('/busy', { taskDefinition }), ended);
    expect(view.steps.map(({ status }) => status)).toEqual(['FAILED', 'COMPLETED']);
    expect(view.steps[0]).toMatchObject({
      reason: expect.stringMatching(/^Failed to invoke HTTP task due to: 503/),
      output: { response: expect.stringMatching(/^503 Service Unavailable/) },
    });
  });

  it('go on after the answer until somebody completes them, with asyncComplete', async () => {
    const view = await run(request('/later', { asyncComplete: true }), ({ steps }) => {
      const [step] = steps;
      return step !== undefined && 'response' in step.output;
    });
    expect(view.run.status).toBe('RUNNING');
    expect(view.steps).toMatchObject([{ status: 'IN_PROGRESS', output: { response: { statusCode: 200 } } }]);
  });
});
