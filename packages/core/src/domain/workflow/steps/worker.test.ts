import { expect, test } from 'vitest';
import { SimulatedRun } from '../../../testing/simulated-run.ts';

const one = (more: object) => [{ name: 'work', taskReferenceName: 'a', ...more }];

test.each([
  ['SIMPLE', { type: 'SIMPLE' }, 'work'],
  ['CUSTOM', { type: 'CUSTOM' }, 'work'],
  ['no type', {}, 'work'],
  ['HTTP', { type: 'HTTP' }, 'HTTP'],
  ['a type of the user', { type: 'PAINT', taskDefinition: { name: 'work' } }, 'PAINT'],
])('%s is a job, under its name or type', (_case, more, kind) => {
  const run = new SimulatedRun(one(more));
  const step = run.step('a');
  expect(step).toMatchObject({ status: 'SCHEDULED', type: kind, name: 'work' });
  expect(run.last.jobs).toMatchObject([{ stepId: step.id, kind, delayMs: 0, again: false }]);
});

test('a type of the user whose name nobody registered fails the run', () => {
  const run = new SimulatedRun(one({ type: 'PAINT' }));
  expect(run.run).toMatchObject({
    status: 'FAILED',
    reason: 'Invalid task specified. Cannot find task by name work in the task definitions',
  });
});

test('a dynamic step takes its name from its input, and its settings from what is registered', () => {
  const dynamic = one({
    type: 'DYNAMIC',
    dynamicTaskNameParam: 'what',
    inputParameters: { what: '${workflow.input.w}' },
  });
  const tasks = [{ name: 'paint', responseTimeoutSeconds: 7 }];
  const run = new SimulatedRun(dynamic, { input: { w: 'paint' }, tasks });
  expect(run.step('a')).toMatchObject({ type: 'paint', name: 'paint' });
  expect(run.last.jobs).toMatchObject([{ kind: 'paint', responseTimeoutMs: 7_000 }]);
  const unknown = new SimulatedRun(dynamic, { input: { w: 'sing' }, tasks });
  expect(unknown.step('a')).toMatchObject({ status: 'SCHEDULED', type: 'sing' });
  unknown.fail('a');
  expect(unknown.run.status).toBe('FAILED');
  expect(new SimulatedRun(dynamic, { tasks }).run.reason).toMatch(
    /^Cannot map a dynamic task .* Parameter= what, input= \{what=null\}$/,
  );
});

test('the template of a task gives what parameters do not say, or say null', () => {
  const inputTemplate = { a: 1, b: 2, c: '${workflow.input.c}' };
  const inputParameters = {
    b: 3,
    a: '${workflow.input.nothing}',
    id: '${CPEWF_TASK_ID}',
    home: '${HOME_TOWN}',
  };
  const run = new SimulatedRun(one({ inputParameters, taskDefinition: { name: 'work', inputTemplate } }), {
    input: { c: 'see' },
  });
  const { id } = run.step('a');
  expect(run.step('a').input).toEqual({ a: 1, b: 3, c: 'see', id, home: 'Bonn' });
});

test('a domain goes with the job, and so do a delay and the limits of its time', () => {
  const taskDefinition = { name: 'work', timeoutSeconds: 20, responseTimeoutSeconds: 10 };
  const run = new SimulatedRun(one({ startDelay: 5, taskDefinition }), { taskToDomain: { work: 'east' } });
  expect(run.step('a')).toMatchObject({ domain: 'east', startDelaySeconds: 5, callbackAfterSeconds: 5 });
  const limits = { delayMs: 5_000, responseTimeoutMs: 10_000, timeoutMs: 20_000 };
  expect(run.last.jobs).toMatchObject([{ domain: 'east', ...limits }]);
});

test('a worker that comes back later has the same step wait again, with what it said', () => {
  const run = new SimulatedRun(one({}));
  const stepId = run.step('a').id;
  const said = {
    type: 'reported',
    stepId,
    status: 'IN_PROGRESS',
    output: { at: 1 },
    workerId: 'w1',
  } as const;
  run.tell({ ...said, callbackAfterSeconds: 30, pollCount: 1 });
  const waits = {
    status: 'SCHEDULED',
    callbackAfterSeconds: 30,
    workerId: 'w1',
    output: { at: 1 },
    pollCount: 1,
  };
  expect(run.step('a')).toMatchObject({ id: stepId, ...waits });
  expect(run.last.jobs).toMatchObject([{ stepId, delayMs: 30_000, again: true }]);
  run.tell({ ...said, output: { more: 2 }, merge: true });
  expect(run.step('a').output).toEqual({ at: 1, more: 2 });
  run.tell({ ...said, output: {}, status: 'COMPLETED' });
  expect(run.run.status).toBe('COMPLETED');
});

test('a request that answered stays in progress where its end is told by somebody else', () => {
  const run = new SimulatedRun(one({ type: 'HTTP', asyncComplete: true }));
  expect(run.step('a').input).toEqual({ asyncComplete: true });
  run.tell({ type: 'reported', stepId: run.step('a').id, status: 'IN_PROGRESS', output: { response: {} } });
  expect(run.step('a').status).toBe('IN_PROGRESS');
  expect(run.last.jobs).toEqual([]);
  run.end('a', { done: 1 });
  expect(run.run).toMatchObject({ status: 'COMPLETED', output: { done: 1 } });
});

test('what is ended from outside has its job withdrawn', () => {
  const run = new SimulatedRun(one({}));
  const stepId = run.step('a').id;
  run.tell({ type: 'reported', stepId, status: 'COMPLETED', output: {}, withdraw: true });
  expect(run.last.withdrawn).toEqual([stepId]);
});
