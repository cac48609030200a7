/** Messages of EVENT steps, and what handlers of events do with them. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EventHandler } from '../../packages/core/src/index.ts';
import type { RunView } from '../../packages/core/src/workflow/port.ts';
import { freshName, openSite, type Site, until, versions } from '../worker/site.ts';

describe.each(versions)('events on PostgreSQL %s', (version) => {
  let site: Site;

  beforeAll(async () => {
    site = await openSite(version);
    await site.work('workflow', { handlers: {} });
  });

  afterAll(() => site?.close());

  const register = async (tasks: object[]): Promise<string> => {
    const name = freshName('flow');
    await site.lineshaft.workflows.putWorkflow({ name, tasks: tasks as never }, { overwrite: false });
    return name;
  };
  const event = (sink: string, inputParameters: object = {}, more: object = {}) => ({
    name: 'tell',
    taskReferenceName: 'tell',
    type: 'EVENT',
    sink,
    inputParameters,
    ...more,
  });
  const wait = { name: 'wait', taskReferenceName: 'wait', type: 'WAIT' };
  const start = (name: string, input: object = {}) =>
    site.lineshaft.workflows.start({ name, input: input as Record<string, unknown> });
  const ended = (runId: string): Promise<RunView> =>
    site.lineshaft.workflows.waitForRun(runId, ({ run }) => run.endedAt !== undefined, { timeoutMs: 20_000 });
  async function handle(on: string, actions: EventHandler['actions'], more: Partial<EventHandler> = {}) {
    const name = freshName('handler');
    await site.lineshaft.workflows.events.put({ name, event: on, active: true, actions, ...more }, 'create');
    return name;
  }
  const executions = (handler: string) =>
    site.rows<{ message_id: string; action: number; status: string; output: Record<string, unknown> }>(
      'select message_id, action, status, output from lineshaft.event_execution where handler = $1 order by at, action',
      [handler],
    );
  const done = async (handler: string, count = 1) => {
    await until('the handler has seen the message', async () => (await executions(handler)).length >= count);
    return await executions(handler);
  };

  it('start a workflow, with what the message has', async () => {
    const child = await register([{ name: 'n', taskReferenceName: 'n', type: 'NOOP' }]);
    const parent = await register([
      event('conductor', { order: '${workflow.input.order}', text: '{"deep":[1]}' }),
    ]);
    const handler = await handle(`conductor:${parent}:tell`, [
      {
        action: 'start_workflow',
        start_workflow: {
          name: child,
          correlationId: 'of ${order.id}',
          input: {
            id: '${order.id}',
            whole: '${order}',
            deep: '${text.deep[0]}',
            from: '${workflowInstanceId}',
          },
        },
        expandInlineJSON: true,
      },
    ]);
    const runId = await start(parent, { order: { id: 7 } });
    expect((await ended(runId)).steps[0]).toMatchObject({
      status: 'COMPLETED',
      output: { event_produced: `conductor:${parent}:tell` },
    });
    const [execution] = await done(handler);
    expect(execution).toMatchObject({ status: 'COMPLETED', output: { workflowId: expect.any(String) } });
    const { run } = await ended(String(execution?.output['workflowId']));
    expect(run).toMatchObject({
      definition: { name: child },
      correlationId: 'of 7',
      event: `conductor:${parent}:tell`,
      input: {
        id: 7,
        whole: { id: 7 },
        deep: 1,
        from: runId,
        'conductor.event.name': `conductor:${parent}:tell`,
        'conductor.event.messageId': execution?.message_id,
      },
    });
  });

  it('complete and fail steps of other runs, by reference name and by id', async () => {
    const waiting = await register([wait]);
    const sink = freshName('done');
    const teller = await register([
      event(`conductor:${sink}`, { of: '${workflow.input.of}', ref: 'wait', n: 3 }),
    ]);
    const handler = await handle(`conductor:${teller}:${sink}`, [
      {
        action: 'complete_task',
        complete_task: { workflowId: '${of}', taskRefName: '${ref}', output: { n: '${n}' } },
      },
    ]);
    const runId = await start(waiting);
    await start(teller, { of: runId });
    expect(await ended(runId)).toMatchObject({
      run: { status: 'COMPLETED' },
      steps: [
        { output: { n: 3, taskRefName: 'wait', 'conductor.event.name': `conductor:${teller}:${sink}` } },
      ],
    });
    expect(await done(handler)).toMatchObject([{ status: 'COMPLETED' }]);

    const failing = await register([event(`conductor:${sink}`, { step: '${workflow.input.step}' })]);
    await handle(`conductor:${failing}:${sink}`, [
      { action: 'fail_task', fail_task: { taskId: '${step}', reasonForIncompletion: 'no ${step}' } },
    ]);
    const second = await start(waiting);
    const { steps } = await site.lineshaft.workflows.waitForRun(second, (view) => view.steps.length > 0, {
      timeoutMs: 10_000,
    });
    await start(failing, { step: steps[0]?.id });
    expect(await ended(second)).toMatchObject({
      run: { status: 'FAILED' },
      steps: [{ reason: `no ${steps[0]?.id}` }],
    });
  });

  it('do only what the condition allows, and say why not', async () => {
    const teller = await register([event('conductor', { n: '${workflow.input.n}', inner: '{"ok":true}' })]);
    const on = `conductor:${teller}:tell`;
    const child = await register([{ name: 'n', taskReferenceName: 'n', type: 'NOOP' }]);
    const actions = [{ action: 'start_workflow', start_workflow: { name: child } }];
    const above = await handle(on, actions, { condition: '$.n > 3 && $.inner.ok' });
    const broken = await handle(on, actions, { condition: '$.nothing.there' });
    const inactive = await handle(on, actions, { active: false });
    await start(teller, { n: 3 });
    expect(await done(above)).toMatchObject([
      { status: 'SKIPPED', output: { condition: '$.n > 3 && $.inner.ok' } },
    ]);
    await start(teller, { n: 4 });
    expect((await done(above, 2)).map(({ status }) => status)).toEqual(['SKIPPED', 'COMPLETED']);
    expect((await done(broken, 2)).map(({ status }) => status)).toEqual(['FAILED', 'FAILED']);
    expect(await executions(inactive)).toEqual([]);
  });

  it('record what could not be done, and go on with the next action', async () => {
    const teller = await register([event('conductor')]);
    const child = await register([{ name: 'n', taskReferenceName: 'n', type: 'NOOP' }]);
    const handler = await handle(`conductor:${teller}:tell`, [
      { action: 'start_workflow', start_workflow: { name: freshName('nobody') } },
      { action: 'complete_task', complete_task: { workflowId: 'none', taskRefName: 'x' } },
      { action: 'terminate_workflow' },
      { action: 'start_workflow', start_workflow: { name: child } },
    ]);
    await start(teller);
    expect(await done(handler, 4)).toMatchObject([
      { status: 'FAILED', output: { exception: expect.stringMatching(/not found/) } },
      {
        status: 'COMPLETED',
        output: { error: 'No task found with taskId: null, reference name: x, workflowId: none' },
      },
      {
        status: 'FAILED',
        output: { exception: expect.stringMatching(/^Action not supported terminate_workflow/) },
      },
      { status: 'COMPLETED' },
    ]);
  });

  it('wait for somebody to complete the step, with asyncComplete', async () => {
    const teller = await register([event('conductor', {}, { asyncComplete: true })]);
    const handler = await handle(`conductor:${teller}:tell`, [
      {
        action: 'complete_task',
        complete_task: { workflowId: '${workflowInstanceId}', taskRefName: 'tell', output: { by: 'event' } },
      },
    ]);
    expect(await ended(await start(teller))).toMatchObject({
      run: { status: 'COMPLETED' },
      steps: [{ output: { by: 'event' } }],
    });
    expect(await done(handler)).toHaveLength(1);
  });

  it('are delivered again by others where a process died with them, and have one effect', async () => {
    const child = await register([{ name: 'n', taskReferenceName: 'n', type: 'NOOP' }]);
    const teller = await register([event('conductor')]);
    const handler = await handle(`conductor:${teller}:tell`, [
      { action: 'start_workflow', start_workflow: { name: child } },
    ]);
    const runId = await start(teller);
    const { steps } = await ended(runId);
    const [first] = await done(handler);
    // As if nobody had heard that it was done.
    await site.rows('delete from lineshaft.event_execution where handler = $1', [handler]);
    await site.rows('insert into lineshaft.event_message (id, event, payload) values ($1, $2, $3)', [
      steps[0]?.id,
      `conductor:${teller}:tell`,
      JSON.stringify(steps[0]?.output),
    ]);
    expect(await done(handler)).toMatchObject([{ status: 'COMPLETED', output: first?.output }]);
    expect(await site.rows('select 1 from lineshaft.run where name = $1', [child])).toHaveLength(1);
    expect(await site.rows('select 1 from lineshaft.event_message where id = $1', [steps[0]?.id])).toEqual(
      [],
    );
  });

  it('are not kept where nobody handles them', async () => {
    const teller = await register([event('conductor')]);
    const { steps } = await ended(await start(teller));
    expect(await site.rows('select 1 from lineshaft.event_message where id = $1', [steps[0]?.id])).toEqual(
      [],
    );
  });

  it('have handlers that are checked, listed, replaced and forgotten', async () => {
    const { events } = site.lineshaft.workflows;
    const name = freshName('handler');
    const on = `conductor:${freshName('wf')}:ref`;
    const handler = { name, event: on, actions: [{ action: 'complete_task', complete_task: {} }] };
    await events.put(handler, 'create');
    await expect(events.put(handler, 'create')).rejects.toMatchObject({ code: 'EVENT_HANDLER_EXISTS' });
    expect(await events.list({ event: on })).toEqual([{ ...handler, active: false }]);
    expect(await events.list({ event: on, activeOnly: true })).toEqual([]);
    await events.put({ ...handler, active: true }, 'replace');
    expect(await events.list({ event: on, activeOnly: true })).toHaveLength(1);
    await events.delete(name);
    await expect(events.delete(name)).rejects.toMatchObject({ code: 'EVENT_HANDLER_NOT_FOUND' });
    await expect(events.put(handler, 'replace')).rejects.toMatchObject({ code: 'EVENT_HANDLER_NOT_FOUND' });
    await expect(events.put({ event: 'x', actions: [] } as never, 'create')).rejects.toMatchObject({
      code: 'DEFINITION_INVALID',
      details: {
        violations: [
          { path: 'name', message: 'Missing event handler name' },
          { path: 'actions', message: 'No actions specified. Please specify at-least one action' },
        ],
      },
    });
  });
});
