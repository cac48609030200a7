/** Messages to runs, which PULL_WORKFLOW_MESSAGES steps take. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freshName, openSite, type Site, versions } from '../worker/site.ts';

describe.each(versions)('messages to runs on PostgreSQL %s', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
    await site.work('workflow', { handlers: {} });
  });
  afterAll(() => site?.close());

  const pull = (ref: string, inputParameters: object = {}) => ({
    name: 'pull',
    taskReferenceName: ref,
    type: 'PULL_WORKFLOW_MESSAGES',
    inputParameters,
  });
  async function start(...tasks: object[]): Promise<string> {
    const name = freshName('flow');
    await site.lineshaft.workflows.putWorkflow({ name, tasks: tasks as never }, { overwrite: false });
    return await site.lineshaft.workflows.start({ name });
  }
  const send = (runId: string, message: object) =>
    site.lineshaft.workflows.sendMessage(runId, message as Record<string, unknown>);
  const seen = (runId: string, done: (refs: Record<string, string>) => boolean) =>
    site.lineshaft.workflows.waitForRun(
      runId,
      ({ steps }) => done(Object.fromEntries(steps.map(({ ref, status }) => [ref, status]))),
      { timeoutMs: 20_000 },
    );

  it('end the step that waits for one, in their order, as many as it takes', async () => {
    const runId = await start(pull('one'), pull('more', { batchSize: 2 }));
    await seen(runId, ({ one }) => one === 'IN_PROGRESS');
    const first = await send(runId, { n: 1 });
    await seen(runId, ({ one, more }) => one === 'COMPLETED' && more === 'IN_PROGRESS');
    await send(runId, { n: 2 });
    const { run, steps } = await seen(runId, ({ more }) => more === 'COMPLETED');
    expect(run.status).toBe('COMPLETED');
    expect(steps.map(({ output }) => output)).toMatchObject([
      { count: 1, messages: [{ id: first, workflowId: runId, payload: { n: 1 } }] },
      { count: 1, messages: [{ payload: { n: 2 } }] },
    ]);
  });

  it('wait for the step that takes them', async () => {
    const wait = { name: 'wait', taskReferenceName: 'wait', type: 'WAIT' };
    const runId = await start(wait, pull('late', { batchSize: 10 }));
    for (const n of [1, 2, 3]) await send(runId, { n });
    await site.lineshaft.workflows.signal(runId, 'COMPLETED', {});
    const { steps } = await seen(runId, ({ late }) => late === 'COMPLETED');
    expect(steps.at(-1)?.output).toMatchObject({
      count: 3,
      messages: [1, 2, 3].map((n) => ({ payload: { n } })),
    });
  });

  it('are not waited for, where the step says so', async () => {
    const runId = await start(pull('now', { blocking: false }));
    const { steps } = await seen(runId, ({ now }) => now === 'COMPLETED');
    expect(steps[0]?.output).toEqual({ messages: [], count: 0 });
  });

  it('are refused by runs that have ended or never were, and beyond a thousand', async () => {
    const ended = await start({ name: 'n', taskReferenceName: 'n', type: 'NOOP' });
    await seen(ended, ({ n }) => n === 'COMPLETED');
    await expect(send(ended, {})).rejects.toMatchObject({ code: 'RUN_STATE' });
    await expect(send('no-run', {})).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' });
    await expect(send('0193f1f0-0000-7000-8000-000000000001', {})).rejects.toMatchObject({
      code: 'RUN_NOT_FOUND',
    });
    const runId = await start({ name: 'wait', taskReferenceName: 'wait', type: 'WAIT' });
    await site.rows(
      `insert into lineshaft.run_message (id, run_id, payload) select gen_random_uuid(), $1, '{}' from generate_series(1, 1000)`,
      [runId],
    );
    await expect(send(runId, {})).rejects.toMatchObject({ code: 'INBOX_FULL' });
  });
});
