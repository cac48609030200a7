/** Scenarios of runs that start runs. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { fork, join, openStage, type Scene, type Stage, statuses, stepOf, sub } from './scene.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

test('40. SubWorkflow: terminate child → parent terminated; parent timeout then retry; retry with resume flag', async () => {
  const scene = stage.scene();
  await scene.tasks('one', 'two');
  const child = await scene.workflow('child', [scene.simple('one'), scene.simple('two')]);
  const parent = await scene.workflow('parent', [sub('s', child)]);
  const first = await scene.start(parent);
  await scene.flows.terminate(await scene.child(first, 's'), { reason: 'no more' });
  expect(stepOf(await scene.ends(first, 'TERMINATED'), 's').status).toBe('CANCELED');

  const timed = await scene.workflow('timed', [sub('s', child)], {
    timeoutSeconds: 1,
    timeoutPolicy: 'TIME_OUT_WF',
  });
  const late = await scene.start(timed);
  const cancelled = await scene.child(late, 's');
  await scene.ends(late, 'TIMED_OUT');
  await scene.ends(cancelled, 'TERMINATED');
  await scene.flows.retry(late);
  const again = await scene.until(late, 'another child', (view) => {
    const latest = view.steps.at(-1)?.subRunId;
    return latest !== undefined && latest !== cancelled;
  });
  expect(stepOf(again, 's')).toMatchObject({ retryCount: 1 });
  await scene.flows.terminate(late);

  const failed = await scene.start(parent);
  const inner = await scene.child(failed, 's');
  await scene.complete('one');
  await scene.fail('two');
  await scene.ends(failed, 'FAILED');
  await scene.flows.retry(failed, { resumeSubworkflowTasks: true });
  // The same child goes on where it was.
  const two = await scene.complete('two');
  expect(two.retryCount).toBe(1);
  const view = await scene.ends(failed, 'COMPLETED');
  expect(statuses(view)).toEqual(['s=COMPLETED']);
  expect(stepOf(view, 's').subRunId).toBe(inner);
});

/** Three runs, one in another: the leaf has one step, and each of the others a step after the run that it starts. */
async function tree(scene: Scene, forked: boolean) {
  await scene.tasks('leaf', 'mid', 'top', 'beside');
  const around = (name: string, after: string) =>
    forked
      ? [
          fork('f', [[sub('s', name)], [scene.simple('beside')]]),
          join('j', ['s', 'beside']),
          scene.simple(after),
        ]
      : [sub('s', name), scene.simple(after)];
  const leaf = await scene.workflow('leafs', [scene.simple('leaf')]);
  const middle = await scene.workflow('mids', around(leaf, 'mid'));
  const root = await scene.workflow('roots', around(middle, 'top'));
  const rootId = await scene.start(root);
  const middleId = await scene.child(rootId, 's');
  const leafId = await scene.child(middleId, 's');
  return { rootId, middleId, leafId };
}

test('41. SubWorkflow restart/retry/rerun at root, middle and leaf of a 3-level tree (also hierarchical fork/join and nested fork variants)', {
  timeout: 120_000,
}, async () => {
  for (const forked of [false, true]) {
    for (const at of ['rootId', 'middleId', 'leafId'] as const) {
      for (const how of ['restart', 'retry', 'rerun'] as const) {
        const scene = stage.scene();
        const ids = await tree(scene, forked);
        if (forked) for (let n = 0; n < 2; n += 1) await scene.complete('beside');
        await scene.fail('leaf');
        for (const id of Object.values(ids)) await scene.ends(id, 'FAILED');
        if (how === 'rerun') await scene.flows.rerun(ids[at], {});
        else await scene.flows[how](ids[at]);
        // Those above go on, and wait for it; what begins anew starts runs of its own.
        for (const id of [ids.rootId, ...(at === 'rootId' ? [] : [ids.middleId])]) {
          await scene.until(id, 'it runs again', (view) => view.run.status === 'RUNNING');
        }
        const begunForks = how === 'retry' ? 0 : at === 'rootId' ? 2 : at === 'middleId' ? 1 : 0;
        // A retry above the leaf starts the run below anew, with its fork.
        const retriedForks = how === 'retry' && at === 'rootId' ? 1 : 0;
        if (forked) for (let n = 0; n < begunForks + retriedForks; n += 1) await scene.complete('beside');
        await scene.complete('leaf');
        await scene.complete('mid');
        await scene.complete('top');
        const view = await scene.ends(ids.rootId, 'COMPLETED');
        // It remembers what had failed, unless it is rerun.
        expect(view.run.failedRefs).toEqual(how !== 'rerun' && at === 'rootId' ? ['s'] : []);
        for (const short of ['leaf', 'mid', 'top', 'beside']) await scene.idle(short);
      }
    }
  }
  // A step within the tree, asked for at its root.
  const scene = stage.scene();
  const ids = await tree(scene, false);
  for (const short of ['leaf', 'mid', 'top']) await scene.complete(short);
  await scene.ends(ids.rootId, 'COMPLETED');
  const step = stepOf(await scene.show(ids.leafId), 'leaf');
  expect(await scene.flows.rerun(ids.rootId, { fromStepId: step.id, stepInput: { again: 1 } })).toBe(
    ids.rootId,
  );
  expect(await scene.complete('leaf')).toMatchObject({ id: step.id, input: { again: 1 } });
  await scene.complete('mid');
  await scene.complete('top');
  const view = await scene.ends(ids.rootId, 'COMPLETED');
  expect(statuses(view)).toEqual(['s=COMPLETED', 'top=COMPLETED']);
});
