/** Scenarios of workflows that start when others fail. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStage, type Stage, sub } from './scene.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

test('39. FailureWorkflow: triggered by task failure, also for a failing sub-workflow, with reason and failed task id in input', async () => {
  const scene = stage.scene();
  await scene.tasks('one', 'mend');
  const mend = await scene.workflow('mends', [
    scene.simple('mend', { inputParameters: { all: '${workflow.input}' } }),
  ]);
  const child = await scene.workflow('child', [scene.simple('one')], { failureWorkflow: mend });
  const id = await scene.start(child, { order: 7 });
  const { id: failed } = await scene.fail('one', 'broke');
  const view = await scene.ends(id, 'FAILED');
  const mending = await scene.complete('mend');
  expect(mending.input['all']).toMatchObject({
    order: 7,
    workflowId: id,
    failureStatus: 'FAILED',
    failureTaskId: failed,
    reason: expect.stringContaining('broke'),
  });
  const runId = String(view.run.output['conductor.failure_workflow']);
  await scene.ends(runId, 'COMPLETED');

  const parent = await scene.workflow('parent', [sub('s', child)], { failureWorkflow: mend });
  const outer = await scene.start(parent);
  const inner = await scene.child(outer, 's');
  await scene.fail('one', 'broke inside');
  await scene.ends(outer, 'FAILED');
  const told = [await scene.complete('mend'), await scene.complete('mend')].map(({ input }) => input['all']);
  const ids = told.map((all) => (all as { workflowId: string }).workflowId);
  expect(ids.toSorted()).toEqual([inner, outer].toSorted());
});
