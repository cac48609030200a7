/** Scenarios of limits, back-off and signals, and of what fails underneath. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStage, type Scene, type Stage, stepOf, sub } from './scene.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

test('42. TaskLimits: rate limit for system and simple tasks; concurrentExecLimit blocks and later releases', async () => {
  const scene = stage.scene();
  await scene.task('narrow', { concurrentExecLimit: 1 });
  const name = await scene.workflow('limited', [scene.simple('narrow')]);
  const ids = [await scene.start(name), await scene.start(name)];
  const held = await scene.poll('narrow');
  await scene.idle('narrow');
  const startedAt = Date.now();
  await scene.report(held, 'COMPLETED');
  // Released at once, not at the next sweep a minute later.
  await scene.complete('narrow');
  expect(Date.now() - startedAt).toBeLessThan(patienceMs);
  for (const id of ids) await scene.ends(id, 'COMPLETED');

  await scene.task('slow', { rateLimitPerFrequency: 1, rateLimitFrequencyInSeconds: 1 });
  const rated = await scene.workflow('rated', [scene.simple('slow')]);
  const two = [await scene.start(rated), await scene.start(rated)];
  const first = await scene.complete('slow');
  await scene.idle('slow');
  const second = await scene.complete('slow');
  expect(second.id).not.toBe(first.id);
  for (const id of two) await scene.ends(id, 'COMPLETED');
});
const patienceMs = 15_000;

/** The delays of the retries of a step that fails each time, as they are decided. */
async function delays(scene: Scene, more: object, attempts: number): Promise<number[]> {
  await scene.task('one', { retryCount: 10, retryDelaySeconds: 2, ...more });
  const id = await scene.start(await scene.workflow('backs-off', [scene.simple('one')]));
  const found: number[] = [];
  for (let n = 0; n < attempts; n += 1) {
    await scene.fail('one');
    found.push(stepOf(await scene.show(id), 'one').callbackAfterSeconds);
    await scene.flows.resetCallbacks(id);
  }
  await scene.flows.terminate(id);
  return found;
}

test('43. RetryPolicy: exponential/linear cap, jitter bounds, cap before jitter, totalTimeoutSeconds stops retries', async () => {
  expect(await delays(stage.scene(), { retryLogic: 'FIXED' }, 3)).toEqual([2, 2, 2]);
  const cap = { maxRetryDelaySeconds: 9 };
  expect(await delays(stage.scene(), { retryLogic: 'EXPONENTIAL_BACKOFF', ...cap }, 4)).toEqual([2, 4, 8, 9]);
  const linear = { retryLogic: 'LINEAR_BACKOFF', backoffScaleFactor: 2, ...cap };
  expect(await delays(stage.scene(), linear, 3)).toEqual([4, 8, 9]);
  const jitter = { retryLogic: 'EXPONENTIAL_BACKOFF', maxRetryDelaySeconds: 3, backoffJitterMs: 4_000 };
  const jittered = await delays(stage.scene(), jitter, 5);
  // The cap comes first, and the jitter on top of it.
  for (const delay of jittered.slice(1)) expect(delay).toBeGreaterThanOrEqual(3);
  for (const delay of jittered) expect(delay).toBeLessThanOrEqual(7);

  const scene = stage.scene();
  await scene.task('one', {
    retryCount: 10,
    retryDelaySeconds: 0,
    totalTimeoutSeconds: 1,
    timeoutPolicy: 'RETRY',
  });
  const id = await scene.start(await scene.workflow('total', [scene.simple('one')]));
  const step = await scene.poll('one');
  const view = await scene.until(id, 'its end', ({ run }) => run.status !== 'RUNNING');
  expect(view.steps).toHaveLength(1);
  expect(view.steps[0]).toMatchObject({ id: step.id, status: 'TIMED_OUT' });
});

test('44. SignalTask: completes a WAIT, returns null without one, 404 for unknown workflow, descends into a sub-workflow. Wait: duration-based', async () => {
  const scene = stage.scene();
  await scene.tasks('one');
  const wait = (inputParameters = {}) => ({
    name: 'w',
    taskReferenceName: 'w',
    type: 'WAIT',
    inputParameters,
  });
  const waits = await scene.workflow('waits', [wait(), scene.simple('one')]);
  const parent = await scene.workflow('parent', [sub('s', waits)]);
  const id = await scene.start(parent);
  const child = await scene.child(id, 's');
  await scene.reaches(child, 'w', 'IN_PROGRESS');
  const signalled = await scene.flows.signal(id, 'COMPLETED', { said: 'go' });
  expect(signalled).toMatchObject({
    step: { ref: 'w', status: 'COMPLETED', output: { said: 'go' } },
    run: { id: child },
  });
  expect(await scene.flows.signal(id, 'COMPLETED', {})).toBeUndefined();
  await scene.complete('one');
  await scene.ends(id, 'COMPLETED');
  await expect(
    scene.flows.signal('00000000-0000-7000-8000-000000000000', 'COMPLETED', {}),
  ).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' });

  const timed = await scene.start(await scene.workflow('timed', [wait({ duration: '1 seconds' })]));
  const view = await scene.ends(timed, 'COMPLETED');
  const over = stepOf(view, 'w');
  expect(Number(over.endedAt) - over.scheduledAt).toBeGreaterThanOrEqual(1_000);
});

test('45. Resiliency: queue store down → start/restart/rerun/retry/resume/queue-size fail; terminate/get/search/decide/pause/update(COMPLETED) succeed; poll returns nothing; lost queue push is repaired; JOIN under lock contention recovers in seconds; external payload flows', async () => {
  // One database is store and queue at once, so there is no push that could be lost: what can be shown is that a run and its
  // jobs are written together or not at all, and that a run that is changed by many at once loses nothing.
  const scene = stage.scene();
  const refs = Array.from({ length: 20 }, (_each, n) => `b${n}`);
  await scene.tasks(...refs, 'after');
  const name = await scene.workflow('contended', [
    {
      name: 'f',
      taskReferenceName: 'f',
      type: 'FORK_JOIN',
      forkTasks: refs.map((ref) => [scene.simple(ref)]),
    },
    { name: 'j', taskReferenceName: 'j', type: 'JOIN', joinOn: refs },
    scene.simple('after'),
  ]);
  const id = await scene.start(name);
  const other = stage.site.other();
  const steps = await Promise.all(refs.map((ref) => scene.poll(ref)));
  // Two processes end the branches at the same time.
  await Promise.all(
    steps.map((step, n) =>
      (n % 2 === 0 ? scene.flows : other.workflows).report({
        stepId: step.id,
        status: 'COMPLETED',
        output: { n },
      }),
    ),
  );
  await scene.complete('after');
  const view = await scene.ends(id, 'COMPLETED');
  expect(Object.keys(stepOf(view, 'j').output)).toHaveLength(20);

  // A run and its jobs come together: where the queue refuses, there is no run.
  const before = await stage.site.rows<{ n: string }>('select count(*) as n from lineshaft.run');
  await stage.site.rows('alter table lineshaft.ready add constraint down check (false) not valid');
  try {
    await expect(scene.start(name)).rejects.toThrow();
    await expect(scene.flows.restart(id)).rejects.toThrow();
    expect((await scene.show(id)).run.status).toBe('COMPLETED');
    expect((await scene.flows.searchRuns({ query: `workflowType = ${name}` })).totalHits).toBe(1);
    await scene.idle('after');
  } finally {
    await stage.site.rows('alter table lineshaft.ready drop constraint down');
  }
  expect(await stage.site.rows('select count(*) as n from lineshaft.run')).toEqual(before);
  await scene.flows.restart(id);
  for (const ref of refs) await scene.complete(ref);
  await scene.complete('after');
  await scene.ends(id, 'COMPLETED');
});
