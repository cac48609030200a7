import { expect, test } from 'vitest';
import { SimulatedRun } from '../../testing/simulated-run.ts';

const once = { name: 'w', retryCount: 0 };
const work = (ref: string, more: object = {}) => ({
  name: 'w',
  taskReferenceName: ref,
  type: 'SIMPLE',
  taskDefinition: once,
  ...more,
});

test('the output of a run is what its parameters say, else that of its last step', () => {
  const outputParameters = { n: '${a.output.n}', s: '${workflow.status}' };
  const run = new SimulatedRun([work('a')], { definition: { outputParameters } });
  run.end('a', { n: 1 });
  expect(run.run.output).toEqual({ n: 1, s: 'COMPLETED' });
  const plain = new SimulatedRun([work('a'), work('b')]);
  plain.end('a', { n: 1 });
  plain.end('b', { m: 2 });
  expect(plain.run.output).toEqual({ m: 2 });
});

test('a run that failed has the output of its last step, whichever failed', () => {
  const branches = {
    type: 'FORK_JOIN',
    name: 'f',
    taskReferenceName: 'f',
    forkTasks: [[work('a')], [work('b')]],
  };
  const run = new SimulatedRun([
    branches,
    { type: 'JOIN', name: 'j', taskReferenceName: 'j', joinOn: ['b'] },
  ]);
  run.end('a', { a: 1 }, 'FAILED', 'no');
  expect(run.run).toMatchObject({ status: 'FAILED', output: {} });
  const broken = { type: 'FORK_JOIN_DYNAMIC', name: 'f', taskReferenceName: 'f' };
  const early = new SimulatedRun([broken], { definition: { outputParameters: { n: '${a.output.n}' } } });
  expect(early.run).toMatchObject({ status: 'FAILED', output: {} });
});

test('a run names what failed on its way, also where another attempt was well', () => {
  const run = new SimulatedRun([work('a', { taskDefinition: { ...once, retryCount: 1 } })]);
  run.fail('a', 'at first');
  expect(run.step('a')).toMatchObject({ status: 'SCHEDULED', reason: 'at first' });
  run.crash();
  run.end('a');
  expect(run.step('a').reason).toBeUndefined();
  expect(run.run).toMatchObject({ status: 'COMPLETED', failedRefs: ['a'], failedNames: ['w'] });
});

test('a workflow without steps is over at once', () => {
  expect(new SimulatedRun([]).run).toMatchObject({
    status: 'COMPLETED',
    reason: 'No tasks found to be executed',
  });
});

test.each<[string, string, string]>([
  ['FAILED', 'FAILED', 'FAILED'],
  ['FAILED_WITH_TERMINAL_ERROR', 'FAILED', 'FAILED_WITH_TERMINAL_ERROR'],
  ['CANCELED', 'TERMINATED', 'CANCELED'],
])('a step that is %s ends the run %s', (status, ended) => {
  const run = new SimulatedRun([
    work('a', { taskDefinition: { name: 'w', retryCount: 9, retryDelaySeconds: 0 } }),
  ]);
  run.tell({ type: 'reported', stepId: run.step('a').id, status: status as 'FAILED', output: { o: 1 } });
  if (status === 'FAILED') expect(run.run.status).toBe('RUNNING');
  else expect(run.run).toMatchObject({ status: ended, output: { o: 1 } });
});

test('an optional step that fails does not stop the flow', () => {
  const run = new SimulatedRun([work('a', { optional: true }), work('b')]);
  run.fail('a', 'no', 'FAILED_WITH_TERMINAL_ERROR');
  expect(run.story).toEqual(['a COMPLETED_WITH_ERRORS', 'b SCHEDULED']);
  run.end('b');
  expect(run.run).toMatchObject({ status: 'COMPLETED', failedRefs: [] });
});

test('a permissive step that fails lets the rest be done, and then fails the run', () => {
  const run = new SimulatedRun([work('a', { permissive: true }), work('b')]);
  run.fail('a', 'no');
  expect(run.story).toEqual(['a FAILED', 'b SCHEDULED']);
  run.end('b');
  expect(run.run).toMatchObject({
    status: 'FAILED',
    reason: `Task ${run.step('a').id} failed with status: FAILED and reason: 'no'`,
    failedRefs: ['a'],
    failedNames: ['w'],
  });
});

test('a run that ends badly starts its failure workflow, and says which', () => {
  const definition = { failureWorkflow: 'mend', failureWorkflowVersion: 2 };
  const run = new SimulatedRun([work('a')], { definition, input: { n: 1 } });
  run.fail('a', 'no');
  const [start] = run.started;
  expect(start).toMatchObject({
    attached: false,
    stepId: undefined,
    request: {
      name: 'mend',
      version: 2,
      correlationId: 'c-1',
      input: {
        n: 1,
        workflowId: 'run-1',
        reason: run.run.reason,
        failureStatus: 'FAILED',
        failureTaskId: run.step('a').id,
        failedWorkflow: {
          workflowName: 'flow',
          status: 'FAILED',
          previousStatus: 'RUNNING',
          failedTaskId: run.step('a').id,
          failedTaskNames: ['w'],
          workflowDefinition: { name: 'flow', failureWorkflow: 'mend', timeoutPolicy: 'ALERT_ONLY' },
          tasks: [{ referenceTaskName: 'a', reasonForIncompletion: 'no', workflowTask: { joinOn: [] } }],
        },
      },
    },
  });
  expect(run.run.output).toEqual({ 'conductor.failure_workflow': start?.runId });
});

test('a failure workflow is told of no more steps than fit, the failed ones first', () => {
  const large = 'x'.repeat(300_000);
  const run = new SimulatedRun(
    ['a', 'b', 'c', 'd', 'e'].map((ref) => work(ref, { permissive: ref === 'a' })),
    { definition: { failureWorkflow: 'mend' } },
  );
  run.end('a', { large }, 'FAILED');
  for (const ref of ['b', 'c', 'd', 'e']) run.end(ref, { large });
  const told = run.started[0]?.request.input?.['failedWorkflow'] as {
    tasks: { referenceTaskName: string }[];
  };
  expect(told.tasks.map((task) => task.referenceTaskName)).toEqual(['a', 'd', 'e']);
});

test('a failure workflow is only told the name of a definition that is too large', () => {
  const definition = { failureWorkflow: 'mend', description: 'x'.repeat(1_100_000) };
  const run = new SimulatedRun([work('a')], { definition });
  run.fail('a');
  expect(run.started[0]?.request.input).toMatchObject({
    failedWorkflow: { workflowName: 'flow', workflowDefinition: { name: 'flow', version: 1 } },
  });
  expect(JSON.stringify(run.started[0]?.request.input).length).toBeLessThan(1_000_000);
});

test('a run that ended well tells which steps had failed before they did it', () => {
  const run = new SimulatedRun([
    work('a', { taskDefinition: { name: 'w', retryCount: 1, retryDelaySeconds: 0 } }),
  ]);
  run.fail('a', 'no');
  expect(run.step('a')).toMatchObject({ retryCount: 1, status: 'SCHEDULED', reason: 'no' });
  run.end('a');
  expect(run.step('a')).toMatchObject({ status: 'COMPLETED', reason: undefined });
  expect(run.run).toMatchObject({ status: 'COMPLETED', failedRefs: ['a'], failedNames: ['w'] });
});

test.each<[string, object, string[]]>([
  ['$.workflow.input.mender', { mender: 'mend' }, ['mend']],
  ['$.workflow.input.mender', {}, []],
  ['', {}, []],
])('the failure workflow %s with the input %j', (failureWorkflow, input, names) => {
  const run = new SimulatedRun([work('a')], {
    definition: { failureWorkflow },
    input: input as Record<string, string>,
  });
  run.fail('a');
  expect(run.started.map((start) => start.request.name)).toEqual(names);
});

test('an end that is well starts none', () => {
  const run = new SimulatedRun([work('a')], { definition: { failureWorkflow: 'mend' } });
  run.end('a');
  expect(run.started).toEqual([]);
});

test('a run may make so many steps and no more', () => {
  const run = new SimulatedRun([work('a'), work('b'), work('c')], { limits: { stepsMax: 2 } });
  run.end('a');
  run.end('b');
  expect(run.run).toMatchObject({
    status: 'FAILED',
    reason: 'The run has made 2 steps, and may not make more',
  });
});

test('a decision that has too much to do goes on in another', () => {
  const noop = (ref: string) => ({ name: 'n', taskReferenceName: ref, type: 'NOOP' });
  const run = new SimulatedRun(
    Array.from({ length: 30 }, (_, at) => noop(`n${at}`)),
    { limits: { changesMax: 10 } },
  );
  expect(run.run.status).toBe('COMPLETED');
  expect(run.decisions).toBeGreaterThan(3);
});

test('a step that was skipped before the flow came to it is passed over', () => {
  const run = new SimulatedRun([work('a'), work('b'), work('c')]);
  const skipped = {
    ...run.step('a'),
    id: 'b-1',
    seq: 2,
    ref: 'b',
    status: 'SKIPPED' as const,
    executed: false,
  };
  run.put({ ...skipped, definition: work('b') });
  run.write({ nextSeq: 3 });
  expect(run.tell({ type: 'time' }).steps).toEqual([]);
  run.end('a');
  expect(run.step('c').status).toBe('SCHEDULED');
});

test('paused, it takes what happens and begins nothing; then it goes on', () => {
  const run = new SimulatedRun([work('a'), work('b')]);
  run.write({ status: 'PAUSED' });
  run.end('a', { n: 1 });
  expect(run.step('a')).toMatchObject({ status: 'COMPLETED', executed: false });
  run.crash();
  run.write({ status: 'RUNNING' });
  run.tell({ type: 'time' });
  expect(run.story).toEqual(['a COMPLETED', 'b SCHEDULED']);
});
