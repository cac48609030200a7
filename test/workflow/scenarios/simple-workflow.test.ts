/** Scenarios of simple workflows: tasks in a row, retries, callbacks, restart. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStage, type Scene, type Stage, statuses, stepOf } from './scene.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

/** Two tasks in a row. */
async function twoTasks(scene: Scene, more = {}): Promise<string> {
  await scene.tasks('one', 'two');
  return scene.workflow('pair', [scene.simple('one'), scene.simple('two')], more);
}

test('1. SimpleWorkflow: two worker tasks in sequence; second input built from first output and workflow input; COMPLETED', async () => {
  const scene = stage.scene();
  await scene.tasks('one', 'two');
  const name = await scene.workflow(
    'pair',
    [
      scene.simple('one', { inputParameters: { p1: '${workflow.input.param1}' } }),
      scene.simple('two', { inputParameters: { tp1: '${one.output.op}', tp2: '${workflow.input.param2}' } }),
    ],
    { outputParameters: { o1: '${two.output.done}', o2: '${workflow.input.param1}' } },
  );
  const id = await scene.start(name, { param1: 'p1 value', param2: 7 }, { correlationId: 'c-1' });
  const one = await scene.complete('one', { op: 'one is done' });
  expect(one.input).toMatchObject({ p1: 'p1 value' });
  const two = await scene.complete('two', { done: true });
  expect(two.input).toMatchObject({ tp1: 'one is done', tp2: 7 });
  const view = await scene.ends(id, 'COMPLETED');
  expect(statuses(view)).toEqual(['one=COMPLETED', 'two=COMPLETED']);
  expect(view.run).toMatchObject({ output: { o1: true, o2: 'p1 value' }, correlationId: 'c-1' });
});

test('2. SimpleWorkflow: null values in task inputs are accepted', async () => {
  const scene = stage.scene();
  await scene.tasks('one');
  const name = await scene.workflow('nulls', [
    scene.simple('one', { inputParameters: { a: null, b: '${workflow.input.none}', c: { d: null } } }),
  ]);
  const id = await scene.start(name, { given: null });
  const one = await scene.complete('one', { nothing: null });
  expect(one.input).toEqual({ a: null, b: null, c: { d: null } });
  const view = await scene.ends(id, 'COMPLETED');
  expect(view.run.input).toEqual({ given: null });
  expect(stepOf(view, 'one').output).toEqual({ nothing: null });
});

test('3. SimpleWorkflow: FAILED_WITH_TERMINAL_ERROR fails the workflow with no retry', async () => {
  const scene = stage.scene();
  await scene.task('one', { retryCount: 3 });
  const name = await scene.workflow('terminal', [scene.simple('one')]);
  const id = await scene.start(name);
  const step = await scene.poll('one');
  await scene.report(step, 'FAILED_WITH_TERMINAL_ERROR', { reason: 'early exit' });
  const view = await scene.ends(id, 'FAILED');
  expect(statuses(view)).toEqual(['one=FAILED_WITH_TERMINAL_ERROR']);
  expect(view.run.reason).toContain('early exit');
  expect(view.run.failedRefs).toEqual(['one']);
});

test('4. SimpleWorkflow: response timeout → TIMED_OUT attempt, a new attempt becomes pollable and completes', async () => {
  const scene = stage.scene();
  await scene.task('one', { retryCount: 1, responseTimeoutSeconds: 1 });
  const name = await scene.workflow('response', [scene.simple('one')]);
  const id = await scene.start(name);
  const lost = await scene.poll('one');
  const again = await scene.poll('one');
  expect(again).toMatchObject({ retryCount: 1, retriedStepId: lost.id });
  // What the first worker says is too late, and changes nothing.
  await scene.report(lost, 'COMPLETED', { output: { late: true } });
  await scene.report(again, 'COMPLETED');
  const view = await scene.ends(id, 'COMPLETED');
  expect(statuses(view)).toEqual(['one=TIMED_OUT', 'one=COMPLETED']);
  expect(view.steps[0]?.reason).toContain(lost.id);
  expect(view.steps[0]?.output).toEqual({});
});

test('5. SimpleWorkflow: restart without latest definitions keeps the embedded definition', async () => {
  const scene = stage.scene();
  const name = await twoTasks(scene);
  const id = await scene.start(name, { n: 1 });
  await scene.complete('one');
  await scene.fail('two');
  await scene.ends(id, 'FAILED');
  await scene.workflow('pair', [scene.simple('two')]);
  await scene.flows.restart(id);
  const view = await scene.show(id);
  expect(statuses(view)).toEqual(['one=SCHEDULED']);
  expect(view.run).toMatchObject({ status: 'RUNNING', input: { n: 1 }, output: {}, failedRefs: ['two'] });
  expect(view.run.reason).toBeUndefined();
  await scene.complete('one');
  await scene.complete('two');
  expect((await scene.ends(id, 'COMPLETED')).run.definition.tasks).toHaveLength(2);
});

test('6. SimpleWorkflow: restart with latest definitions picks the new version', async () => {
  const scene = stage.scene();
  const name = await twoTasks(scene);
  const id = await scene.start(name);
  await scene.fail('one');
  await scene.ends(id, 'FAILED');
  await scene.tasks('three');
  await scene.workflow('pair', [scene.simple('three')], { version: 2 });
  await scene.flows.restart(id, { useLatestDefinitions: true });
  await scene.complete('three');
  const view = await scene.ends(id, 'COMPLETED');
  expect(statuses(view)).toEqual(['three=COMPLETED']);
  expect(view.run.definition.version).toBe(2);
});

test('7. SimpleWorkflow: task retries are counted, delayed, and exhausted → workflow FAILED', async () => {
  const scene = stage.scene();
  await scene.task('one', { retryCount: 2, retryDelaySeconds: 1 });
  const name = await scene.workflow('retried', [scene.simple('one')]);
  const id = await scene.start(name);
  await scene.fail('one', 'first');
  // It waits for its delay.
  await scene.idle('one');
  const waiting = await scene.show(id);
  expect(stepOf(waiting, 'one')).toMatchObject({
    status: 'SCHEDULED',
    retryCount: 1,
    callbackAfterSeconds: 1,
  });
  await scene.fail('one', 'second');
  await scene.fail('one', 'third');
  const view = await scene.ends(id, 'FAILED');
  expect(view.steps.map(({ retryCount, retried }) => [retryCount, retried])).toEqual([
    [0, true],
    [1, true],
    [2, false],
  ]);
  const [first, second, third] = view.steps;
  expect(second?.retriedStepId).toBe(first?.id);
  expect(Number(second?.startedAt) - Number(first?.endedAt)).toBeGreaterThanOrEqual(950);
  expect(view.run.reason).toContain('third');
  expect(third?.reason).toBe('third');
});

test('8. SimpleWorkflow: workflow-level retry resumes at the failed task only', async () => {
  const scene = stage.scene();
  const id = await scene.start(await twoTasks(scene));
  await scene.complete('one');
  await scene.fail('two');
  await scene.ends(id, 'FAILED');
  await scene.flows.retry(id);
  await scene.idle('one');
  const two = await scene.complete('two');
  expect(two.retryCount).toBe(1);
  const view = await scene.ends(id, 'COMPLETED');
  expect(statuses(view)).toEqual(['one=COMPLETED', 'two=FAILED', 'two=COMPLETED']);
  expect(view.run.lastRetriedAt).toBeDefined();
  expect(view.run.failedRefs).toEqual(['two']);
  await expect(scene.flows.retry(id)).rejects.toMatchObject({ code: 'RUN_STATE' });
});

test('9. SimpleWorkflow: IN_PROGRESS + callbackAfterSeconds re-queues the same task id later (long-running task)', async () => {
  const scene = stage.scene();
  const id = await scene.start(await twoTasks(scene));
  const first = await scene.poll('one');
  await scene.report(first, 'IN_PROGRESS', { callbackAfterSeconds: 1, output: { sofar: 1 } });
  await scene.idle('one');
  const waiting = stepOf(await scene.show(id), 'one');
  expect(waiting).toMatchObject({ status: 'SCHEDULED', output: { sofar: 1 }, callbackAfterSeconds: 1 });
  const again = await scene.poll('one');
  expect(again.id).toBe(first.id);
  await scene.report(again, 'COMPLETED', { output: { all: true } });
  await scene.complete('two');
  const view = await scene.ends(id, 'COMPLETED');
  expect(stepOf(view, 'one')).toMatchObject({
    output: { all: true },
    pollCount: 2,
    startedAt: first.startedAt,
  });
});

test('10. SimpleWorkflow: resetcallbacks makes a delayed task pollable at once', async () => {
  const scene = stage.scene();
  const id = await scene.start(await twoTasks(scene));
  const first = await scene.poll('one');
  await scene.report(first, 'IN_PROGRESS', { callbackAfterSeconds: 3_600 });
  await scene.idle('one');
  await scene.flows.resetCallbacks(id);
  const again = await scene.poll('one');
  expect(again.id).toBe(first.id);
  await scene.report(again, 'COMPLETED');
  await scene.complete('two');
  await scene.ends(id, 'COMPLETED');
  await expect(scene.flows.resetCallbacks(id)).rejects.toMatchObject({ code: 'RUN_STATE' });
});

test('11. SimpleWorkflow: restartable=false refuses restart of a COMPLETED workflow', async () => {
  const scene = stage.scene();
  const name = await twoTasks(scene, { restartable: false });
  const id = await scene.start(name);
  await expect(scene.flows.restart(id)).rejects.toMatchObject({ code: 'RUN_STATE' });
  await scene.complete('one');
  await scene.complete('two');
  await scene.ends(id, 'COMPLETED');
  await expect(scene.flows.restart(id)).rejects.toMatchObject({
    code: 'RUN_STATE',
    details: { status: 'COMPLETED' },
  });
  // One that failed may be.
  const other = await scene.start(name);
  await scene.fail('one');
  await scene.ends(other, 'FAILED');
  await scene.flows.restart(other);
  expect((await scene.show(other)).run.status).toBe('RUNNING');
});
