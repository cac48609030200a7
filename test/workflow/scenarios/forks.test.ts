/** Scenarios 22 to 27 and 33 of Conductor's suite: forks and joins. */

import { describe, expect, test } from 'vitest';
import { fork, join, openStage, simple, stepOf } from './stage.ts';

const stage = openStage();

describe('22. ForkJoin: success path, JOIN output keyed by ref', () => {
  test('a fork of two and one, then a last step', async () => {
    const play = await stage.play([
      fork('fork', [simple('t1'), simple('t3')], [simple('t2')]),
      join('join', 't3', 't2'),
      simple('t4'),
    ]);
    expect(await play.story()).toEqual([
      'fork COMPLETED',
      't1 SCHEDULED',
      't2 SCHEDULED',
      'join IN_PROGRESS',
    ]);
    await play.end('t1');
    await play.end('t2', { two: 2 });
    expect((await play.step('join')).status).toBe('IN_PROGRESS');
    await play.end('t3', { three: 3 });
    await play.end('t4');
    const { run, steps } = await play.ended();
    expect(run.status).toBe('COMPLETED');
    expect(steps.find((step) => step.ref === 'join')?.output).toEqual({ t2: { two: 2 }, t3: { three: 3 } });
  });
});

describe('23. ForkJoin: branch failure cancels siblings and fails the workflow; retry re-runs failed and cancelled branches, JOIN reopened', () => {
  test('one branch fails', async () => {
    const play = await stage.play([fork('fork', [simple('t1')], [simple('t2')]), join('join', 't1', 't2')]);
    await play.fail('t1');
    expect((await play.ended()).run).toMatchObject({ status: 'FAILED', failedRefs: ['t1'] });
    expect(await play.story()).toEqual(['fork COMPLETED', 't1 FAILED', 't2 CANCELED', 'join CANCELED']);
    await stage.site().lineshaft.workflows.retry(play.runId);
    expect((await play.story()).slice(3)).toEqual(['join IN_PROGRESS', 't1 SCHEDULED', 't2 SCHEDULED']);
    await play.end('t1', { n: 1 });
    await play.end('t2', { n: 2 });
    const { run, steps } = await play.ended();
    expect(run.status).toBe('COMPLETED');
    expect(steps.find((step) => step.ref === 'join')?.output).toEqual({ t1: { n: 1 }, t2: { n: 2 } });
  });
});

describe('24. ForkJoin: permissive failure waits for all branches', () => {
  test('the other branch goes on, then the run fails', async () => {
    const play = await stage.play([
      fork('fork', [simple('t1', { permissive: true })], [simple('t2'), simple('t3')]),
      join('join', 't1', 't3'),
    ]);
    await play.fail('t1', 'no');
    await play.end('t2');
    expect((await play.show()).run.status).toBe('RUNNING');
    await play.end('t3');
    const { run } = await play.ended();
    expect(run.status).toBe('FAILED');
    expect(run.reason).toContain("reason: 'no'");
  });
});

describe('25. ForkJoin: nested forks; fork containing sub-workflows and optional sub-workflow branches; user-terminated sub-workflow fork', () => {
  const child = async () => stage.register([simple('inner')]);
  const sub = (ref: string, name: string, more = {}) =>
    stepOf('SUB_WORKFLOW', ref, { n: 1 }, { subWorkflowParam: { name, version: 1 }, ...more });

  test('nested forks', async () => {
    const play = await stage.play([
      fork(
        'outer',
        [simple('t1')],
        [fork('nested', [simple('t2')], [simple('t3')]), join('join1', 't2', 't3')],
      ),
      join('join2', 't1', 'join1'),
    ]);
    for (const ref of ['t3', 't1', 't2']) await play.end(ref, { by: ref });
    const { run, steps } = await play.ended();
    expect(run.status).toBe('COMPLETED');
    expect(steps.find((step) => step.ref === 'join2')?.output).toEqual({
      t1: { by: 't1' },
      join1: { t2: { by: 't2' }, t3: { by: 't3' } },
    });
  });

  test('a sub-workflow in a branch', async () => {
    const play = await stage.play([
      fork('fork', [sub('sub', await child())], [simple('t2')]),
      join('join', 'sub', 't2'),
    ]);
    const inner = stage.follow((await play.step('sub')).subRunId ?? '');
    expect((await inner.show()).run).toMatchObject({
      parent: { runId: play.runId },
      correlationId: 'scenario',
    });
    await inner.end('inner', { done: 1 });
    await play.end('t2');
    const { run, steps } = await play.ended();
    expect(run.status).toBe('COMPLETED');
    expect(steps.find((step) => step.ref === 'sub')?.output).toEqual({ subWorkflowId: inner.runId, done: 1 });
  });

  test('an optional sub-workflow that fails', async () => {
    const play = await stage.play([
      fork('fork', [sub('sub', await child(), { optional: true })], [simple('t2')]),
      join('join', 'sub', 't2'),
    ]);
    const inner = stage.follow((await play.step('sub')).subRunId ?? '');
    await inner.fail('inner');
    await play.end('t2');
    const { run, steps } = await play.ended();
    expect(run.status).toBe('COMPLETED');
    expect(steps.filter((step) => ['sub', 'join'].includes(step.ref)).map((step) => step.status)).toEqual([
      'COMPLETED_WITH_ERRORS',
      'COMPLETED_WITH_ERRORS',
    ]);
  });

  test('a sub-workflow that somebody terminates', async () => {
    const play = await stage.play([
      fork('fork', [sub('sub', await child())], [simple('t2')]),
      join('join', 'sub', 't2'),
    ]);
    const { subRunId = '' } = await play.step('sub');
    await stage.site().lineshaft.workflows.terminate(subRunId, { reason: 'enough' });
    expect((await play.ended()).run.status).toBe('TERMINATED');
    expect(await play.story()).toEqual(['fork COMPLETED', 'sub CANCELED', 't2 CANCELED', 'join CANCELED']);
  });
});

const dynamic = (more = {}) => [
  stepOf(
    'FORK_JOIN_DYNAMIC',
    'dynamic',
    { tasks: '${workflow.input.tasks}', inputs: '${workflow.input.inputs}' },
    { dynamicForkTasksParam: 'tasks', dynamicForkTasksInputParamName: 'inputs', ...more },
  ),
  join('join'),
];

describe('26. DynamicForkJoin: success; failure; retry; with forked sub-workflow', () => {
  const tasks = [simple('t1'), simple('t2')];
  const input = { tasks, inputs: { t1: { k: 1 }, t2: { k: 2 } } };

  test('success', async () => {
    const play = await stage.play([...dynamic(), simple('last')], { input });
    expect((await play.step('t2')).input).toEqual({ k: 2 });
    await play.end('t1', { a: 1 });
    await play.end('t2', { b: 2 });
    await play.end('last');
    const { run, steps } = await play.ended();
    expect(run.status).toBe('COMPLETED');
    expect(steps.find((step) => step.ref === 'join')?.output).toEqual({ t1: { a: 1 }, t2: { b: 2 } });
  });

  test('failure, and retry', async () => {
    const play = await stage.play(dynamic(), { input });
    await play.fail('t1');
    expect((await play.ended()).run.status).toBe('FAILED');
    await stage.site().lineshaft.workflows.retry(play.runId);
    expect((await play.step('t1')).input).toEqual({ k: 1 });
    await play.end('t1');
    await play.end('t2');
    expect((await play.ended()).run.status).toBe('COMPLETED');
  });

  test('with a sub-workflow among the branches', async () => {
    const name = await stage.register([simple('inner')]);
    const branches = [
      stepOf('SUB_WORKFLOW', 'sub', {}, { subWorkflowParam: { name, version: 1 } }),
      simple('t2'),
    ];
    const play = await stage.play(dynamic(), {
      input: { tasks: branches, inputs: { sub: { from: 'fork' } } },
    });
    const inner = stage.follow((await play.step('sub')).subRunId ?? '');
    expect((await inner.show()).run.input).toMatchObject({ from: 'fork' });
    await inner.end('inner', { x: 1 });
    await play.end('t2');
    expect((await play.ended()).run.status).toBe('COMPLETED');
  });
});

describe('27. DynamicForkJoin: empty list completes; non-map inputs or invalid task list fail the workflow', () => {
  test.each<[string, object, string]>([
    ['an empty list', { tasks: [], inputs: {} }, 'COMPLETED'],
    ['inputs that are no map', { tasks: [simple('t1')], inputs: ['x'] }, 'FAILED'],
    ['a list that is none', { tasks: 'x', inputs: {} }, 'FAILED'],
  ])('%s', async (_case, input, status) => {
    const play = await stage.play(dynamic(), { input: input as Record<string, unknown> });
    expect((await play.ended()).run.status).toBe(status);
  });
});

describe('33. ExclusiveJoin: five permutations of decisions and default', () => {
  const choice = (ref: string, value: string, cases: Record<string, ReturnType<typeof simple>[]>) =>
    stepOf('DECISION', ref, { value }, { caseValueParam: 'value', decisionCases: cases, defaultCase: [] });
  const tasks = [
    simple('t1'),
    choice('d1', '${workflow.input.d1}', {
      true: [simple('t2'), choice('d2', '${workflow.input.d2}', { true: [simple('t3')] })],
    }),
    stepOf('EXCLUSIVE_JOIN', 'x', {}, { joinOn: ['t3', 't2'], defaultExclusiveJoinTask: ['t1'] }),
  ];

  test.each<[object, string[], string]>([
    [{ d1: 'false', d2: 'false' }, ['t1'], 't1'],
    [{ d1: 'false', d2: 'true' }, ['t1'], 't1'],
    [{ d1: 'true', d2: 'false' }, ['t1', 't2'], 't2'],
    [{ d1: 'true', d2: 'true' }, ['t1', 't2', 't3'], 't3'],
    [{ d1: 'other' }, ['t1'], 't1'],
  ])('with %j the steps %j are done and the join takes %s', async (input, refs, taken) => {
    const play = await stage.play(tasks, { input: input as Record<string, unknown> });
    for (const ref of refs) await play.end(ref, { by: ref });
    const { run, steps } = await play.ended();
    expect(run.status).toBe('COMPLETED');
    expect(steps.find((step) => step.ref === 'x')?.output).toEqual({ by: taken });
  });
});
