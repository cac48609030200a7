/** Secrets in the inputs of steps: handed to workers, and nowhere else. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Lineshaft } from '../../packages/core/src/index.ts';
import { freshName, openSite, type Site, until } from '../worker/site.ts';

const token = 'hush-hush-4711';

describe('secrets of workflows', () => {
  let site: Site;
  let flows: Lineshaft['workflows'];
  let runIds: string[] = [];
  beforeAll(async () => {
    process.env['TEST_SECRET_TOKEN'] = token;
    process.env['TEST_SECRET_OTHER'] = 'not for you';
    site = await openSite(18, { workflowSecrets: ['TEST_SECRET_TOKEN', 'TEST_SECRET_ABSENT'] });
    flows = site.lineshaft.workflows;
  });
  afterAll(async () => {
    delete process.env['TEST_SECRET_TOKEN'];
    delete process.env['TEST_SECRET_OTHER'];
    await site?.close();
  });

  const inputParameters = {
    header: 'Bearer ${workflow.secrets.TEST_SECRET_TOKEN}',
    other: '${workflow.secrets.TEST_SECRET_OTHER}',
    said: '${workflow.input.said}',
  };
  const asKept = {
    header: 'Bearer ${workflow.secrets.TEST_SECRET_TOKEN}',
    other: '${workflow.secrets.TEST_SECRET_OTHER}',
    said: 'give me ${workflow.secrets.TEST_SECRET_TOKEN}x',
  };
  const asHanded = { ...asKept, header: `Bearer ${token}`, said: `give me ${token}x` };

  async function start(step: object): Promise<{ name: string; runId: string }> {
    const name = freshName('secret');
    await flows.putTask({ name, retryCount: 0 });
    const tasks = [{ name, taskReferenceName: 'step', type: 'SIMPLE', inputParameters, ...step }];
    await flows.putWorkflow({ name, version: 1, tasks }, { overwrite: false });
    const runId = await flows.start({ name, input: { said: asKept.said } });
    runIds = [...runIds, runId];
    return { name, runId };
  }

  const ended = (runId: string) =>
    flows.waitForRun(runId, ({ run }) => run.endedAt !== undefined, { timeoutMs: 20_000 });

  /** All that the database keeps of workflows and jobs. */
  async function expectNothingKept(): Promise<void> {
    for (const table of [
      'step',
      'run',
      'run_data',
      'run_definition',
      'job',
      'mark',
      'history',
      'dead',
      'step_log',
    ]) {
      const [row] = await site.rows<{ n: number }>(
        `select count(*)::int as n from lineshaft.${table} t where position($1 in t::text) > 0`,
        [token],
      );
      expect([table, row?.n]).toEqual([table, 0]);
    }
  }

  it('are handed to a worker that polls, and to no one who looks', async () => {
    const { name, runId } = await start({});
    const [polled] = await flows.poll({ kind: name, workerId: 'w', count: 1, timeoutMs: 10_000 });
    // What came in by data names the same secret as the definition does: the worker has that anyway.
    expect(polled?.step.input).toEqual(asHanded);
    expect((await flows.show(runId)).steps[0]?.input).toEqual(asKept);
    expect((await flows.showStep(polled?.step.id ?? '')).step.input).toEqual(asKept);
    await flows.report({
      stepId: polled?.step.id ?? '',
      status: 'FAILED',
      reason: `401 for ${asHanded.header}`,
    });
    const { run, steps } = await ended(runId);
    expect(steps[0]).toMatchObject({ reason: '401 for Bearer ***', input: asKept });
    expect(run.reason).not.toContain(token);
    await expectNothingKept();
  });

  it('are handed to native workers, whose errors do not tell them', async () => {
    const { name, runId } = await start({});
    let seen: unknown;
    await site.work('workflow', {
      handlers: {
        [name]: (input: { header: string }) => {
          seen = input;
          throw Object.assign(new Error(`refused: ${input.header}`), { retryable: false });
        },
      },
    });
    const { steps } = await ended(runId);
    expect(seen).toEqual(asHanded);
    expect(steps[0]?.reason).toBe('refused: Bearer ***');
    await until('its job is gone', async () => (await site.rows('select from lineshaft.job')).length === 0);
    await expectNothingKept();
  });

  it('are in the requests of HTTP steps, and not in what is told of them', async () => {
    let got: string | undefined;
    const server = createServer((request, response) => {
      got = request.headers.authorization;
      response.statusCode = 403;
      response.end(`no entry with ${got}`);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const { runId } = await start({
      type: 'HTTP',
      inputParameters: {
        http_request: {
          uri: `http://127.0.0.1:${port}/`,
          method: 'GET',
          headers: { Authorization: '${workflow.secrets.TEST_SECRET_TOKEN}' },
        },
      },
    });
    await site.work('workflow', { handlers: {} });
    const { run, steps } = await ended(runId);
    expect(got).toBe(token);
    expect(run.status).toBe('FAILED');
    expect(steps[0]?.reason).toContain('***');
    await new Promise((resolve) => server.close(resolve));
    await expectNothingKept();
  });

  it('are refused where the list of names is none', () => {
    expect(() => site.other({ workflowSecrets: ['not a name'] })).toThrow(/workflowSecrets/);
  });
});
