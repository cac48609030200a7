/** Definitions as they are registered: checked against what is there, and given back as they came. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  TaskDefinition,
  WorkflowDefinition,
} from '../../packages/core/src/domain/workflow/definition.ts';
import { freshName, openSite, type Site, versions } from '../worker/site.ts';

describe.each(versions)('definitions on PostgreSQL %s', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterAll(() => site.close());

  const step = (more: object) => ({ name: 's', taskReferenceName: 's', type: 'SIMPLE', ...more });
  const put = (document: unknown, overwrite = false) =>
    site.lineshaft.workflows.putWorkflow(document as WorkflowDefinition, { overwrite });
  const calling = (name: string, called: string, version = 1) => ({
    name,
    version,
    tasks: [step({ type: 'SUB_WORKFLOW', subWorkflowParam: { name: called } })],
  });

  it('are kept without fields that are null, and given back as they came', async () => {
    const name = freshName('kept');
    const inputParameters = { nothing: null, '2': 'b', '1': 'a' };
    await put({ name, description: null, tasks: [step({ type: 'CUSTOM', joinOn: null, inputParameters })] });
    const kept = await site.lineshaft.workflows.getWorkflow(name);
    expect(kept).toMatchObject({ name, tasks: [step({ type: 'CUSTOM', inputParameters })] });
    expect(kept).not.toHaveProperty('description');
    expect(kept.tasks[0]).not.toHaveProperty('joinOn');
  });

  it('are refused with every place, before anything is written', async () => {
    const name = freshName('refused');
    await expect(put({ name, tasks: [{ type: 'HTTP', name: 'a\u0000' }, {}] })).rejects.toMatchObject({
      code: 'DEFINITION_INVALID',
    });
    const document = { name, tasks: [step({ type: 'HTTP' }), {}] };
    await expect(put(document)).rejects.toMatchObject({
      details: {
        violations: expect.arrayContaining([
          expect.objectContaining({
            path: 'tasks[0]',
            message: expect.stringMatching(/^inputParameters.http_request/),
          }),
          expect.objectContaining({ path: 'tasks[1].name' }),
        ]),
      },
    });
    await expect(site.lineshaft.workflows.checkWorkflow(document as never)).rejects.toMatchObject({
      code: 'DEFINITION_INVALID',
    });
    await expect(site.lineshaft.workflows.getWorkflow(name)).rejects.toMatchObject({
      code: 'WORKFLOW_NOT_FOUND',
    });
  });

  it('may take from the task definition of a step what it lacks', async () => {
    const task = freshName('task');
    const workflow = { name: freshName('with'), tasks: [step({ name: task, type: 'HTTP' })] };
    await expect(put(workflow)).rejects.toMatchObject({ code: 'DEFINITION_INVALID' });
    await site.lineshaft.workflows.putTask({ name: task, inputTemplate: { uri: 'http://localhost' } });
    await put(workflow);
  });

  it('may not start themselves without end, whatever way it goes', async () => {
    const [a, b, c] = [freshName('a'), freshName('b'), freshName('c')];
    await put(calling(a, b));
    await put(calling(b, c));
    await expect(put(calling(c, a))).rejects.toThrow(`${c} > ${a} > ${b} > ${c}`);
    await put({ name: c, tasks: [step({})] });
    // An older version does not count: the latest of it is called, which ends.
    await expect(put(calling(c, a, 2))).rejects.toMatchObject({ code: 'DEFINITION_INVALID' });
  });

  it('of tasks are checked too', async () => {
    const wrong = { name: 't', retryCount: -1, timeoutPolicy: 'NEVER' } as unknown as TaskDefinition;
    await expect(site.lineshaft.workflows.putTask(wrong)).rejects.toMatchObject({
      code: 'DEFINITION_INVALID',
    });
    const name = freshName('task');
    await site.lineshaft.workflows.putTask({ name, pollTimeoutSeconds: null, retryCount: 1 });
    expect(await site.lineshaft.workflows.getTask(name)).toMatchObject({ name, retryCount: 1 });
  });
});
