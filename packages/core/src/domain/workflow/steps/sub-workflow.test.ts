import { expect, test } from 'vitest';
import { SimulatedRun } from '../../../testing/simulated-run.ts';
import type { RunStatus } from '../run.ts';

const sub = (more: object = {}) => [
  {
    name: 'child_step',
    taskReferenceName: 's',
    type: 'SUB_WORKFLOW',
    inputParameters: { n: 1 },
    subWorkflowParam: { name: 'child', version: '${workflow.input.v}' },
    ...more,
  },
];

test('a sub-workflow is a run with the parameters as its input, and ends with it', () => {
  const run = new SimulatedRun(sub(), { input: { v: '3' }, taskToDomain: { '*': 'east' } });
  const [start] = run.started;
  expect(start).toMatchObject({
    attached: true,
    stepId: run.step('s').id,
    request: {
      name: 'child',
      version: 3,
      input: { n: 1 },
      correlationId: 'c-1',
      taskToDomain: { '*': 'east' },
    },
  });
  const subRunId = start?.runId ?? '';
  expect(run.step('s')).toMatchObject({
    status: 'IN_PROGRESS',
    subRunId,
    output: { subWorkflowId: subRunId },
    input: { subWorkflowName: 'child', subWorkflowVersion: 3, workflowInput: { n: 1 } },
  });
  run.tell({ type: 'run-started', stepId: run.step('s').id, runId: subRunId });
  expect(run.last.steps).toEqual([]);
  ended(run, 'COMPLETED', { out: 1 });
  expect(run.run).toMatchObject({ status: 'COMPLETED', output: { subWorkflowId: subRunId, out: 1 } });
});

test.each<[RunStatus, string, string]>([
  ['FAILED', 'FAILED', 'FAILED'],
  ['TERMINATED', 'CANCELED', 'TERMINATED'],
  ['TIMED_OUT', 'TIMED_OUT', 'TIMED_OUT'],
])('a child that ends %s makes the step %s and the run %s', (status, step, parent) => {
  const run = new SimulatedRun(sub(), { input: { v: 1 } });
  const { runId } = run.started[0] ?? {};
  ended(run, status, {}, 'why');
  expect([run.step('s').status, run.run.status]).toEqual([step, parent]);
  expect(run.step('s').reason).toBe(`Sub workflow child.1/${runId} failure reason: why`);
});

test('it is tried again only where that is said, after its delay, as another run', () => {
  const task = { name: 'child_step', retryCount: 1, retryDelaySeconds: 10 };
  const run = new SimulatedRun(sub({ taskDefinition: task }));
  ended(run, 'FAILED');
  expect(run.step('s')).toMatchObject({ status: 'SCHEDULED', retryCount: 1, dueAt: run.now + 10_000 });
  expect(run.started).toHaveLength(1);
  run.wait(10_000);
  expect(run.started).toHaveLength(2);
  expect(run.step('s')).toMatchObject({ status: 'IN_PROGRESS', subRunId: run.started[1]?.runId });
});

test('the end of a run of an earlier attempt is none of its step', () => {
  const run = new SimulatedRun(sub());
  const before = run.run.revision;
  const { id } = run.step('s');
  const news = { status: 'FAILED', output: {}, reason: undefined } as const;
  run.tell({ type: 'run-ended', stepId: id, runId: 'another', ...news });
  expect(run.run.revision).toBe(before);
});

test('a definition may stand in the step; one that is refused fails it', () => {
  const definition = { name: 'inline', version: 7, tasks: [] };
  const run = new SimulatedRun(
    sub({ inputParameters: {}, subWorkflowParam: { workflowDefinition: '${workflow.input.d}' } }),
    {
      input: { d: definition },
    },
  );
  expect(run.started[0]?.request).toMatchObject({ name: 'inline', version: 7, definition });
  expect(run.step('s').input).toMatchObject({ subWorkflowName: 'inline', subWorkflowVersion: null });
  run.tell({ type: 'run-refused', stepId: run.step('s').id, reason: 'no such workflow' });
  expect(run.step('s')).toMatchObject({ status: 'FAILED', reason: 'no such workflow' });
  expect(new SimulatedRun(sub({ subWorkflowParam: {} })).step('s').status).toBe('FAILED');
});

test('the end of the run terminates the child', () => {
  const work = { name: 'w', taskReferenceName: 'w', type: 'SIMPLE' };
  const run = new SimulatedRun([
    { name: 'f', taskReferenceName: 'f', type: 'FORK_JOIN', forkTasks: [sub(), [work]] },
    { name: 'j', taskReferenceName: 'j', type: 'JOIN', joinOn: ['s', 'w'] },
  ]);
  run.fail('w', 'no', 'FAILED_WITH_TERMINAL_ERROR');
  expect(run.step('s').status).toBe('CANCELED');
  expect(run.terminated).toEqual([run.started[0]?.runId]);
  expect(run.last.terminates[0]?.reason).toBe(
    `Parent workflow has been terminated with reason: ${run.run.reason}`,
  );
});

test('a child that goes on again opens its parent again, and the join around it', () => {
  const work = { name: 'w', taskReferenceName: 'w', type: 'SIMPLE' };
  const run = new SimulatedRun([
    { name: 'f', taskReferenceName: 'f', type: 'FORK_JOIN', forkTasks: [sub(), [work]] },
    { name: 'j', taskReferenceName: 'j', type: 'JOIN', joinOn: ['s', 'w'] },
  ]);
  run.end('w');
  ended(run, 'FAILED');
  expect([run.run.status, run.step('j').status]).toEqual(['FAILED', 'CANCELED']);
  run.tell({ type: 'run-reopened', stepId: run.step('s').id, runId: run.started[0]?.runId ?? '' });
  expect([run.run.status, run.step('s').status, run.step('j').status]).toEqual([
    'RUNNING',
    'IN_PROGRESS',
    'IN_PROGRESS',
  ]);
  expect(run.run).toMatchObject({ failedRefs: [], reason: undefined, endedAt: undefined });
  ended(run, 'COMPLETED', { ok: true });
  expect(run.run.status).toBe('COMPLETED');
});

test('what the end of the parent had cancelled is tried again with it', () => {
  const work = { name: 'w', taskReferenceName: 'w', type: 'SIMPLE' };
  const run = new SimulatedRun([
    { name: 'f', taskReferenceName: 'f', type: 'FORK_JOIN', forkTasks: [sub(), [work]] },
    { name: 'j', taskReferenceName: 'j', type: 'JOIN', joinOn: ['s', 'w'] },
  ]);
  ended(run, 'FAILED');
  expect(run.step('w').status).toBe('CANCELED');
  run.tell({ type: 'run-reopened', stepId: run.step('s').id, runId: run.started[0]?.runId ?? '' });
  expect(run.run.status).toBe('RUNNING');
  expect(run.step('w')).toMatchObject({ status: 'SCHEDULED', retryCount: 1 });
  run.end('w');
  ended(run, 'COMPLETED');
  expect(run.run.status).toBe('COMPLETED');
});

test('a child that goes on does not mend the step that had failed: a join on that one fails again, and the run', () => {
  const work = { name: 'w', taskReferenceName: 'w', type: 'SIMPLE' };
  const run = new SimulatedRun([
    { name: 'f', taskReferenceName: 'f', type: 'FORK_JOIN', forkTasks: [sub(), [work]] },
    { name: 'j', taskReferenceName: 'j', type: 'JOIN', joinOn: ['w'] },
  ]);
  run.fail('w', 'no', 'FAILED_WITH_TERMINAL_ERROR');
  expect([run.step('s').status, run.step('j').status]).toEqual(['CANCELED', 'CANCELED']);
  const [start] = run.started;
  run.tell({ type: 'run-reopened', stepId: run.step('s').id, runId: start?.runId ?? '' });
  expect(run.run.status).toBe('FAILED');
  expect(run.run.reason).toContain(`Task ${run.step('j').id} failed`);
  // It had gone on by itself, and is told.
  expect(run.last.terminates.map(({ runId }) => runId)).toEqual([start?.runId]);
  const { revision } = run.run;
  run.tell();
  expect(run.run.revision).toBe(revision);
});

test('START_WORKFLOW starts a run that goes its own way', () => {
  const start = (startWorkflow: unknown) =>
    new SimulatedRun([
      { name: 'x', taskReferenceName: 'x', type: 'START_WORKFLOW', inputParameters: { startWorkflow } },
    ]);
  const run = start({ name: 'other', version: 2, input: { a: 1 }, correlationId: 'k' });
  expect(run.started).toMatchObject([
    { attached: false, request: { name: 'other', version: 2, input: { a: 1 }, correlationId: 'k' } },
  ]);
  run.tell({ type: 'run-started', stepId: run.step('x').id, runId: run.started[0]?.runId ?? '' });
  expect(run.run).toMatchObject({ status: 'COMPLETED', output: { workflowId: run.started[0]?.runId } });
  expect(start(null).step('x')).toMatchObject({
    status: 'FAILED',
    reason: "Missing 'startWorkflow' in input data.",
  });
  expect(start({ version: 1 }).step('x').status).toBe('FAILED');
  expect(start({ workflowDef: { name: 'w', tasks: [] } }).started[0]?.request).toMatchObject({ name: 'w' });
});

function ended(run: SimulatedRun, status: RunStatus, output = {}, reason?: string): void {
  const runId = run.step('s').subRunId ?? '';
  run.tell({ type: 'run-ended', stepId: run.step('s').id, runId, status, output, reason });
}
