/** Scenarios of what definitions say: optional, permissive, templates, time-outs; and of what users do to runs. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { fork, join, openStage, type Stage, statuses, stepOf } from './scene.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

test('12. Configuration: optional task failure → COMPLETED_WITH_ERRORS, flow continues', async () => {
  const scene = stage.scene();
  await scene.task('one', { retryCount: 1 });
  await scene.tasks('two');
  const name = await scene.workflow('optional', [
    scene.simple('one', { optional: true }),
    scene.simple('two'),
  ]);
  const id = await scene.start(name);
  await scene.fail('one');
  await scene.fail('one', 'again');
  await scene.complete('two');
  const view = await scene.ends(id, 'COMPLETED');
  expect(statuses(view)).toEqual(['one=FAILED', 'one=COMPLETED_WITH_ERRORS', 'two=COMPLETED']);
  expect(view.steps[1]?.reason).toBe('again');
});

test('13. Configuration: permissive task failure → siblings finish, workflow FAILED at the end; permissive+optional completes', async () => {
  const scene = stage.scene();
  await scene.tasks('one', 'two');
  const flow = (optional: boolean) =>
    scene.workflow(optional ? 'both' : 'permissive', [
      fork('f', [
        [scene.simple('one', { permissive: true, optional })],
        [scene.simple('two', { permissive: true })],
      ]),
      join('j', ['one', 'two']),
    ]);
  const failed = await scene.start(await flow(false));
  await scene.fail('one');
  expect((await scene.show(failed)).run.status).toBe('RUNNING');
  await scene.complete('two', { ok: 1 });
  const view = await scene.ends(failed, 'FAILED');
  expect(stepOf(view, 'two').status).toBe('COMPLETED');

  const completed = await scene.start(await flow(true));
  await scene.fail('one');
  await scene.complete('two', { ok: 2 });
  expect(stepOf(await scene.ends(completed, 'COMPLETED'), 'one').status).toBe('COMPLETED_WITH_ERRORS');
});

test('14. Configuration: inputTemplate parsing for workflow and task definitions', async () => {
  const scene = stage.scene();
  await scene.task('one', {
    inputTemplate: {
      url: 'https://${workflow.input.host}/x',
      method: 'GET',
      kept: 'default',
      none: 'filled',
    },
  });
  const name = await scene.workflow(
    'templates',
    [scene.simple('one', { inputParameters: { method: 'PUT', none: '${workflow.input.missing}' } })],
    { inputTemplate: { host: 'example.com', path: { deep: [1, 2] } } },
  );
  const id = await scene.start(name, { path: 'mine' });
  const one = await scene.complete('one');
  expect(one.input).toMatchObject({
    url: 'https://example.com/x',
    method: 'PUT',
    kept: 'default',
    none: 'filled',
  });
  const view = await scene.ends(id, 'COMPLETED');
  expect(view.run.input).toEqual({ host: 'example.com', path: 'mine' });
});

test('15. Configuration: task timeout (TIME_OUT_WF) → task and workflow TIMED_OUT', async () => {
  const scene = stage.scene();
  await scene.task('one', { timeoutSeconds: 1, responseTimeoutSeconds: 1, timeoutPolicy: 'TIME_OUT_WF' });
  const id = await scene.start(await scene.workflow('slow', [scene.simple('one')]));
  await scene.poll('one');
  const view = await scene.ends(id, 'TIMED_OUT');
  expect(statuses(view)).toEqual(['one=TIMED_OUT']);
});

test('16. Configuration: workflow timeoutSeconds → TIMED_OUT; retry then works even when no task had failed', async () => {
  const scene = stage.scene();
  await scene.tasks('one', 'two');
  const name = await scene.workflow('timed', [scene.simple('one'), scene.simple('two')], {
    timeoutSeconds: 2,
    timeoutPolicy: 'TIME_OUT_WF',
  });
  const id = await scene.start(name);
  await scene.complete('one');
  const ended = await scene.ends(id, 'TIMED_OUT');
  expect(statuses(ended)).toEqual(['one=COMPLETED', 'two=CANCELED']);
  await scene.flows.retry(id);
  await scene.complete('two');
  const view = await scene.ends(id, 'COMPLETED');
  expect(stepOf(view, 'two').status).toBe('COMPLETED');
});

test('17. Configuration: rerun several times after completion, from start and from a task id', async () => {
  const scene = stage.scene();
  await scene.tasks('one', 'two', 'three');
  const name = await scene.workflow('thrice', [
    scene.simple('one', { inputParameters: { n: '${workflow.input.n}' } }),
    scene.simple('two', { inputParameters: { from: '${one.output.n}' } }),
    scene.simple('three'),
  ]);
  const id = await scene.start(name, { n: 1 });
  await scene.complete('one', { n: 1 });
  await scene.complete('two');
  await expect(scene.flows.rerun(id, {})).rejects.toMatchObject({ code: 'RUN_STATE' });
  await scene.complete('three');
  const first = await scene.ends(id, 'COMPLETED');

  expect(await scene.flows.rerun(id, { runInput: { n: 2 }, correlationId: 'second' })).toBe(id);
  expect((await scene.complete('one', { n: 2 })).input).toMatchObject({ n: 2 });
  await scene.complete('two');
  await scene.complete('three');
  const second = await scene.ends(id, 'COMPLETED');
  expect(second.run).toMatchObject({ input: { n: 2 }, correlationId: 'second' });
  expect(second.steps).toHaveLength(3);

  const two = stepOf(second, 'two');
  await scene.flows.rerun(id, { fromStepId: two.id, stepInput: { from: 'by hand' } });
  const reopened = await scene.show(id);
  expect(statuses(reopened)).toEqual(['one=COMPLETED', 'two=SCHEDULED']);
  const polled = await scene.complete('two');
  expect(polled).toMatchObject({ id: two.id, input: { from: 'by hand' } });
  await scene.complete('three');
  await scene.ends(id, 'COMPLETED');
  await expect(scene.flows.rerun(id, { fromStepId: stepOf(first, 'three').id })).rejects.toMatchObject({
    code: 'STEP_NOT_FOUND',
  });
});

test('18. Configuration: skip a not-yet-scheduled task with given input/output', async () => {
  const scene = stage.scene();
  await scene.tasks('one', 'two', 'three');
  const name = await scene.workflow('skipped', [
    scene.simple('one'),
    scene.simple('two'),
    scene.simple('three', { inputParameters: { of: '${two.output.given}' } }),
  ]);
  const id = await scene.start(name);
  await scene.flows.skip(id, 'two', { input: { by: 'hand' }, output: { given: 'out' } });
  await scene.complete('one');
  const three = await scene.complete('three');
  expect(three.input).toEqual({ of: 'out' });
  const view = await scene.ends(id, 'COMPLETED');
  expect(stepOf(view, 'two')).toMatchObject({
    status: 'SKIPPED',
    input: { by: 'hand' },
    output: { given: 'out' },
  });
  await expect(scene.flows.skip(id, 'two')).rejects.toMatchObject({ code: 'RUN_STATE' });
  const other = await scene.start(name);
  await expect(scene.flows.skip(other, 'one')).rejects.toMatchObject({ code: 'RUN_STATE' });
  await expect(scene.flows.skip(other, 'none')).rejects.toMatchObject({ code: 'RUN_STATE' });
});

test('19. Configuration: pause → finished task schedules nothing; resume continues', async () => {
  const scene = stage.scene();
  await scene.tasks('one', 'two');
  const id = await scene.start(await scene.workflow('paused', [scene.simple('one'), scene.simple('two')]));
  await expect(scene.flows.resume(id)).rejects.toMatchObject({ code: 'RUN_STATE' });
  await scene.flows.pause(id);
  await scene.flows.pause(id);
  // Steps that wait are still handed out.
  await scene.complete('one');
  const paused = await scene.show(id);
  expect(paused.run.status).toBe('PAUSED');
  expect(statuses(paused)).toEqual(['one=COMPLETED']);
  await scene.idle('two');
  await scene.flows.resume(id);
  await scene.complete('two');
  await scene.ends(id, 'COMPLETED');
  await expect(scene.flows.pause(id)).rejects.toMatchObject({ code: 'RUN_STATE' });
});

test('20. Configuration: WAIT task exceeding its task timeout', async () => {
  const scene = stage.scene();
  await scene.task('wait', { timeoutSeconds: 1, responseTimeoutSeconds: 1, timeoutPolicy: 'TIME_OUT_WF' });
  const name = await scene.workflow('waits', [
    { name: scene.name('wait'), taskReferenceName: 'w', type: 'WAIT' },
  ]);
  const view = await scene.ends(await scene.start(name), 'TIMED_OUT');
  expect(statuses(view)).toEqual(['w=TIMED_OUT']);
});

test('21. Configuration: workflow with no tasks; task definition auto-created when missing', async () => {
  const scene = stage.scene();
  await expect(scene.workflow('empty', [])).rejects.toMatchObject({ code: 'DEFINITION_INVALID' });
  // One that is there all the same, as in a database that was taken over, has nothing to do.
  const empty = { name: scene.name('empty'), version: 1, tasks: [] };
  await stage.site.rows(
    'insert into lineshaft.workflow_definition (name, version, definition) values ($1, 1, $2)',
    [empty.name, empty],
  );
  const id = await scene.start(empty.name);
  expect((await scene.ends(id, 'COMPLETED')).steps).toEqual([]);
  const other = await scene.start(await scene.workflow('unknown', [scene.simple('never-registered')]));
  await scene.fail('never-registered');
  // As if it were registered with the defaults: 3 retries, a minute apart.
  expect(stepOf(await scene.show(other), 'never-registered')).toMatchObject({
    status: 'SCHEDULED',
    retryCount: 1,
    callbackAfterSeconds: 60,
  });
  await scene.flows.terminate(other);
});
