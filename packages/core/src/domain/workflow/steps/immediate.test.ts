import { expect, test } from 'vitest';
import { SimulatedRun } from '../../../testing/simulated-run.ts';
import type { JsonObject } from '../definition.ts';

const step = (type: string, inputParameters: JsonObject = {}, more: object = {}) => ({
  name: 'x',
  taskReferenceName: 'x',
  type,
  inputParameters,
  ...more,
});
const work = { name: 'w', taskReferenceName: 'w', type: 'SIMPLE' };

test('variables are seen by the steps that follow', () => {
  const after = { ...work, inputParameters: { a: '${workflow.variables.a}', b: '${workflow.variables.b}' } };
  const run = new SimulatedRun([step('SET_VARIABLE', { a: [1] }), after], {
    definition: { variables: { b: 2 } },
  });
  expect(run.run.variables).toEqual({ a: [1], b: 2 });
  expect(run.step('w').input).toEqual({ a: [1], b: 2 });
});

test('variables that grow too large fail the step and stay as they were', () => {
  const run = new SimulatedRun([step('SET_VARIABLE', { a: 'ü'.repeat(600) })], {
    limits: { variablesMaxBytes: 1_024 },
  });
  expect(run.step('x')).toMatchObject({
    status: 'FAILED_WITH_TERMINAL_ERROR',
    reason:
      'The variables payload size: 1208 of workflow: run-1 is greater than the permissible limit: 1 kilobytes',
  });
  expect(run.run.variables).toEqual({});
});

test.each<[string, string | undefined]>([
  ['conductor', 'conductor:flow:x'],
  ['conductor:done', 'conductor:flow:done'],
  ['sqs:queue', 'sqs:queue'],
  ['nowhere', undefined],
  ['', undefined],
])('an event with the sink %s is sent as %s', (sink, event) => {
  const run = new SimulatedRun([step('EVENT', { n: 1 }, { sink })]);
  expect(run.messages.map((message) => message.event)).toEqual(event === undefined ? [] : [event]);
  expect(run.step('x').status).toBe(event === undefined ? 'FAILED' : 'COMPLETED');
  if (event === undefined) return;
  const payload = {
    n: 1,
    sink,
    asyncComplete: false,
    workflowInstanceId: 'run-1',
    workflowType: 'flow',
    workflowVersion: 1,
    correlationId: 'c-1',
    taskToDomain: {},
    event_produced: event,
  };
  expect(run.step('x').output).toEqual(payload);
  expect(run.messages[0]?.payload).toEqual(payload);
});

test('an event whose end is told by somebody else waits for it', () => {
  const run = new SimulatedRun([step('EVENT', {}, { sink: 'conductor', asyncComplete: true })]);
  expect(run.step('x').status).toBe('IN_PROGRESS');
  run.end('x');
  expect(run.run.status).toBe('COMPLETED');
});

test('NOOP is over at once; KAFKA_PUBLISH says what to do instead', () => {
  expect(new SimulatedRun([step('NOOP')]).run.status).toBe('COMPLETED');
  expect(new SimulatedRun([step('KAFKA_PUBLISH')]).run).toMatchObject({
    status: 'FAILED',
    reason: expect.stringContaining('publish from a worker instead'),
  });
});

test.each<[JsonObject, string, string, JsonObject]>([
  [
    { terminationStatus: 'COMPLETED', workflowOutput: { a: 1 } },
    'COMPLETED',
    'Workflow is COMPLETED by TERMINATE task: ',
    { a: 1 },
  ],
  [
    { terminationStatus: 'FAILED', terminationReason: 'enough', workflowOutput: 5 },
    'FAILED',
    'enough',
    { output: 5 },
  ],
  [{ terminationStatus: 'TERMINATED' }, 'TERMINATED', 'Workflow is TERMINATED by TERMINATE task: ', {}],
])('TERMINATE with %j ends the run %s', (input, status, reason, output) => {
  const fork = {
    name: 'f',
    taskReferenceName: 'f',
    type: 'FORK_JOIN',
    forkTasks: [[work], [step('TERMINATE', input)]],
  };
  const join = { name: 'j', taskReferenceName: 'j', type: 'JOIN', joinOn: ['w', 'x'] };
  const run = new SimulatedRun([fork, join], { definition: { outputParameters: { no: 1 } } });
  expect(run.run).toMatchObject({ status, output, reason: expect.stringContaining(reason) });
  expect([run.step('w').status, run.step('x').status]).toEqual(['CANCELED', 'COMPLETED']);
  expect(run.run.output).toEqual(output);
});

test('TERMINATE without a status that is one fails', () => {
  expect(new SimulatedRun([step('TERMINATE', { terminationStatus: 'PAUSED' })]).step('x')).toMatchObject({
    status: 'FAILED',
    reason: 'given termination status is not valid',
  });
});

test.each<[JsonObject, string, number | undefined]>([
  [{ duration: '2m' }, 'IN_PROGRESS', 120_000],
  [{ duration: '0s' }, 'COMPLETED', undefined],
  [{ until: '2023-11-15 00:00' }, 'IN_PROGRESS', 1_700_006_400_000 - 1_700_000_000_000],
  [{}, 'IN_PROGRESS', undefined],
  [{ duration: '1s', until: '2030-01-01' }, 'FAILED_WITH_TERMINAL_ERROR', undefined],
  [{ duration: 'soon' }, 'FAILED_WITH_TERMINAL_ERROR', undefined],
])('WAIT with %j is %s', (input, status, dueMs) => {
  const run = new SimulatedRun([step('WAIT', input)]);
  expect(run.step('x').status).toBe(status);
  expect(run.wakeAt).toBe(dueMs === undefined ? undefined : run.now + dueMs);
  if (dueMs === undefined) return;
  expect(run.wait(dueMs - 1).steps).toEqual([]);
  run.wait(1);
  expect(run.run.status).toBe('COMPLETED');
});

test('WAIT and HUMAN end when somebody says so', () => {
  for (const type of ['WAIT', 'HUMAN']) {
    const run = new SimulatedRun([step(type)]);
    run.end('x', { by: 'Ada' });
    expect(run.run).toMatchObject({ status: 'COMPLETED', output: { by: 'Ada' } });
  }
});
