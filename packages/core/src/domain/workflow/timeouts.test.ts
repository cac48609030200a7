import { expect, test } from 'vitest';
import { SimulatedRun } from '../../testing/simulated-run.ts';
import type { StepDefinition, TaskDefinition } from './definition.ts';
import { rerunAround, rerunFrom } from './rerun.ts';
import { retryDelaySeconds } from './task-settings.ts';
import { retry } from './try-again.ts';

const work = (task: Omit<TaskDefinition, 'name'>, more: object = {}) => [
  {
    name: 'w',
    taskReferenceName: 'w',
    type: 'SIMPLE',
    taskDefinition: { name: 'w', retryCount: 1, ...task },
    ...more,
  },
];

test('a worker that is not heard of: the attempt is TIMED_OUT and another follows, whatever the policy', () => {
  const run = new SimulatedRun(work({ responseTimeoutSeconds: 10, timeoutPolicy: 'TIME_OUT_WF' }));
  const first = run.step('w');
  run.tell({ type: 'lapsed', stepId: first.id, startedAt: run.now, at: run.now + 10_000, workerId: 'w1' });
  expect(run.state.byId.get(first.id)).toMatchObject({
    status: 'TIMED_OUT',
    workerId: 'w1',
    pollCount: 1,
    reason: `responseTimeout: 10 exceeded for the taskId: ${first.id} with Task Definition: w`,
  });
  expect(run.step('w')).toMatchObject({ retryCount: 1, status: 'SCHEDULED' });
});

test.each<[TaskDefinition['timeoutPolicy'], string, string]>([
  ['RETRY', 'SCHEDULED', 'RUNNING'],
  ['TIME_OUT_WF', 'TIMED_OUT', 'TIMED_OUT'],
  [undefined, 'TIMED_OUT', 'TIMED_OUT'],
])('an attempt that takes too long, with the policy %s: %s, the run %s', (timeoutPolicy, step, status) => {
  const run = new SimulatedRun(work({ timeoutSeconds: 20, ...(timeoutPolicy ? { timeoutPolicy } : {}) }));
  const { id } = run.step('w');
  run.tell({ type: 'lapsed', stepId: id, startedAt: run.now, at: run.now + 20_500 });
  const reason = `Task timed out after 20 seconds. Timeout configured as 20 seconds. Timeout policy configured to ${timeoutPolicy ?? 'TIME_OUT_WF'}`;
  expect(run.state.byId.get(id)?.reason).toBe(reason);
  expect([run.step('w').status, run.run.status]).toEqual([step, status]);
  if (status === 'TIMED_OUT') expect(run.run.reason).toBe(reason);
});

test('an attempt that waits for its worker to come back may take too long as well', () => {
  const run = new SimulatedRun(work({ timeoutSeconds: 20, timeoutPolicy: 'RETRY' }));
  const { id } = run.step('w');
  run.tell({ type: 'reported', stepId: id, status: 'IN_PROGRESS', output: {}, callbackAfterSeconds: 60 });
  expect(run.wakeAt).toBe(run.now + 20_000);
  run.wait(20_000);
  expect(run.state.byId.get(id)?.status).toBe('TIMED_OUT');
  expect(run.last.withdrawn).toEqual([id]);
});

test.each<[TaskDefinition['timeoutPolicy'], string]>([
  ['RETRY', 'RUNNING'],
  ['TIME_OUT_WF', 'TIMED_OUT'],
])('a step that nobody polls, with the policy %s, leaves the run %s', (timeoutPolicy, status) => {
  const run = new SimulatedRun(
    work({ pollTimeoutSeconds: 5, timeoutPolicy } as TaskDefinition, { startDelay: 2 }),
  );
  // Conductor counts the delay twice: as the start's and as the callback's.
  expect(run.wakeAt).toBe(run.now + 9_000);
  const { id } = run.step('w');
  run.wait(9_000);
  expect(run.state.byId.get(id)?.reason).toBe(
    `Task poll timed out after 7 seconds. Poll timeout configured as 5 seconds. Timeout policy configured to ${timeoutPolicy}`,
  );
  expect(run.run.status).toBe(status);
});

test('a poll ends the time in which it must come', () => {
  const run = new SimulatedRun(work({ pollTimeoutSeconds: 5 }));
  const { id: stepId } = run.step('w');
  run.tell({ type: 'polled', stepId, workerId: 'w1', at: run.now + 1_000 });
  expect(run.step('w')).toMatchObject({
    status: 'IN_PROGRESS',
    workerId: 'w1',
    pollCount: 1,
    startedAt: run.now + 1_000,
  });
  expect(run.wakeAt).toBeUndefined();
});

test('the time of all attempts ends the retries', () => {
  const run = new SimulatedRun(
    work({ totalTimeoutSeconds: 30, retryCount: 99, retryDelaySeconds: 20, timeoutPolicy: 'RETRY' }),
  );
  run.fail('w');
  run.now += 25_000;
  run.fail('w');
  expect(run.step('w').retryCount).toBe(2);
  run.wait(5_000);
  expect(run.step('w')).toMatchObject({
    retryCount: 2,
    status: 'TIMED_OUT',
    reason:
      'Task total timed out after 30 seconds. Total timeout configured as 30 seconds. Timeout policy configured to RETRY',
  });
  expect(run.run.status).toBe('TIMED_OUT');
});

const minute = { timeoutSeconds: 60, totalTimeoutSeconds: 60, timeoutPolicy: 'RETRY' } as const;

test('a retry by hand has all of its time, however long ago the first attempt was', () => {
  const run = new SimulatedRun(work({ ...minute, retryCount: 0 }));
  run.fail('w');
  run.now += 3_600_000;
  run.change(retry);
  expect(run.wakeAt).toBe(run.now + 60_000);
  expect(run.step('w')).toMatchObject({ status: 'SCHEDULED', firstScheduledAt: run.now });
  run.wait(60_000);
  expect(run.step('w').reason).toContain('Task total timed out after 60 seconds');
});

test('an attempt that comes by itself shares the time of a rerun that came before it, and not that of the first', () => {
  const run = new SimulatedRun(work({ ...minute, retryDelaySeconds: 0 }));
  run.fail('w');
  run.fail('w');
  run.now += 3_600_000;
  const last = run.step('w');
  run.change((state, context) => rerunFrom(state, last, {}, context));
  expect(run.step('w')).toMatchObject({ id: last.id, retryCount: 1, firstScheduledAt: run.now });
  expect(run.wakeAt).toBe(run.now + 60_000);
});

/** A run with a sub-workflow of a minute in a branch, that has ended an hour ago with that. */
function endedAnHourAgo(): SimulatedRun {
  const timed = (ref: string, type: string, more: Partial<StepDefinition> = {}): StepDefinition => ({
    name: ref,
    taskReferenceName: ref,
    type,
    taskDefinition: { name: ref, ...minute, retryCount: 0 },
    ...more,
  });
  const child = timed('s', 'SUB_WORKFLOW', { subWorkflowParam: { name: 'inner', version: 1 } });
  const run = new SimulatedRun([
    timed('f', 'FORK_JOIN', { forkTasks: [[child]] }),
    timed('j', 'JOIN', { joinOn: ['s'] }),
  ]);
  const { id: stepId, subRunId: runId = '' } = run.step('s');
  run.tell({ type: 'run-ended', stepId, runId, status: 'FAILED', output: {}, reason: 'no' });
  expect(run.run.status).toBe('FAILED');
  run.now += 3_600_000;
  return run;
}

test.each<[string, (run: SimulatedRun) => void]>([
  ['is reopened', (run) => run.tell({ type: 'run-reopened', ...ofChild(run) })],
  ['is rerun', (run) => run.change((state, context) => rerunAround(state, run.step('s'), {}, context))],
  ['is tried again', (run) => run.change(retry)],
])('a sub-workflow that %s has all of its time, as the join around it', (_, goOn) => {
  const run = endedAnHourAgo();
  goOn(run);
  const { revision } = run.run;
  run.tell();
  expect(run.run.revision).toBe(revision);
  expect(run.story.slice(-2)).not.toContainEqual(expect.stringContaining('TIMED_OUT'));
  expect(['s', 'j'].map((ref) => run.step(ref).status)).toEqual(['IN_PROGRESS', 'IN_PROGRESS']);
  expect(run.wakeAt).toBe(run.now + 60_000);
  run.wait(59_999);
  run.tell({ type: 'run-ended', ...ofChild(run), status: 'COMPLETED', output: {}, reason: undefined });
  expect(run.run.status).toBe('COMPLETED');
});

function ofChild(run: SimulatedRun): { stepId: string; runId: string } {
  const { id: stepId, subRunId: runId = '' } = run.step('s');
  return { stepId, runId };
}

test('ALERT_ONLY changes nothing', () => {
  const run = new SimulatedRun(
    work({ timeoutSeconds: 5, pollTimeoutSeconds: 5, timeoutPolicy: 'ALERT_ONLY' }),
    {
      definition: { timeoutSeconds: 5 },
    },
  );
  expect(run.wakeAt).toBeUndefined();
  expect(run.wait(100_000).steps).toEqual([]);
});

test('a run that takes too long is TIMED_OUT, also while it is paused', () => {
  const run = new SimulatedRun(work({}), {
    definition: { timeoutSeconds: 60, timeoutPolicy: 'TIME_OUT_WF' },
  });
  run.write({ status: 'PAUSED' });
  expect(run.wait(59_999).run).toBeUndefined();
  run.wait(1);
  expect(run.run).toMatchObject({
    status: 'TIMED_OUT',
    reason:
      'Workflow timed out after 60 seconds. Timeout configured as 60 seconds. Timeout policy configured to TIME_OUT_WF',
  });
  expect(run.step('w').status).toBe('CANCELED');
});

test('a WAIT may take longer than its task allows', () => {
  const wait = { name: 'w', taskReferenceName: 'w', type: 'WAIT', inputParameters: { duration: '60s' } };
  const run = new SimulatedRun([
    { ...wait, taskDefinition: { name: 'w', timeoutSeconds: 10, retryCount: 0 } },
  ]);
  run.wait(10_000);
  expect([run.step('w').status, run.run.status]).toEqual(['TIMED_OUT', 'TIMED_OUT']);
});

test.each<[Omit<TaskDefinition, 'name'>, readonly number[]]>([
  [{}, [60, 60, 60]],
  [{ retryDelaySeconds: 10, retryLogic: 'FIXED' }, [10, 10, 10]],
  [{ retryDelaySeconds: 10, retryLogic: 'EXPONENTIAL_BACKOFF' }, [10, 20, 40, 80]],
  [{ retryDelaySeconds: 10, retryLogic: 'LINEAR_BACKOFF', backoffScaleFactor: 3 }, [30, 60, 90]],
  [{ retryDelaySeconds: 10, retryLogic: 'EXPONENTIAL_BACKOFF', maxRetryDelaySeconds: 25 }, [10, 20, 25, 25]],
  [{ retryDelaySeconds: 2_000_000_000, retryLogic: 'EXPONENTIAL_BACKOFF' }, [2_000_000_000, 2_147_483_647]],
  [{ retryDelaySeconds: 0 }, [0]],
])('the delays of %j are %j', (task, delays) => {
  expect(delays.map((_, retryCount) => retryDelaySeconds({ name: 'w', ...task }, retryCount, 0.5))).toEqual(
    delays,
  );
});

test('jitter comes after the cap, between nothing and what is said', () => {
  const task = { name: 'w', retryDelaySeconds: 100, maxRetryDelaySeconds: 10, backoffJitterMs: 2_000 };
  expect([0, 0.5].map((random) => retryDelaySeconds(task, 5, random))).toEqual([10, 11]);
});
