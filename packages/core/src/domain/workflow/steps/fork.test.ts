import { expect, test } from 'vitest';
import { SimulatedRun } from '../../../testing/simulated-run.ts';
import type { StepDefinition } from '../definition.ts';
import { wholeOutput } from '../gathered-output.ts';

const simple = (ref: string, more = {}): StepDefinition => ({
  name: `do_${ref}`,
  taskReferenceName: ref,
  type: 'SIMPLE',
  ...more,
});
const once = { taskDefinition: { name: 'once', retryCount: 0 } };
const fork = (ref: string, ...forkTasks: StepDefinition[][]): StepDefinition => ({
  name: ref,
  taskReferenceName: ref,
  type: 'FORK_JOIN',
  forkTasks,
});
const join = (ref: string, joinOn: string[] = [], more = {}): StepDefinition => ({
  name: ref,
  taskReferenceName: ref,
  type: 'JOIN',
  joinOn,
  ...more,
});

test('a fork inside a branch of a fork', () => {
  const inner = [fork('f2', [simple('b')], [simple('c')]), join('j2', ['b', 'c'])];
  const run = new SimulatedRun([fork('f1', [simple('a')], inner), join('j1', ['a', 'j2'])]);
  expect(run.story.map((line) => line.split(' ')[0])).toEqual(['f1', 'a', 'f2', 'b', 'c', 'j2', 'j1']);
  for (const ref of ['c', 'b', 'a']) run.end(ref, { by: ref });
  expect(run.step('j1').output).toEqual({ a: { by: 'a' }, j2: { b: { by: 'b' }, c: { by: 'c' } } });
  expect(run.run.status).toBe('COMPLETED');
});

test('without a JOIN behind it the run fails', () => {
  const run = new SimulatedRun([fork('f', [simple('a')]), simple('z')]);
  expect(run.run.reason).toBe('Fork task definition is not followed by a join task.  Check the blueprint');
});

test('a JOIN that names nothing is over at once; the run is not, before all is done', () => {
  const run = new SimulatedRun([fork('f', [simple('a')]), join('j')]);
  expect(run.story).toEqual(['f COMPLETED', 'a SCHEDULED', 'j COMPLETED']);
  expect(run.run.status).toBe('RUNNING');
  run.end('a');
  expect(run.run.status).toBe('COMPLETED');
});

test.each<[string, object, string, string]>([
  ['optional', { optional: true }, 'COMPLETED_WITH_ERRORS', 'COMPLETED'],
  ['permissive', { permissive: true }, 'FAILED', 'FAILED'],
  ['both', { permissive: true, optional: true }, 'COMPLETED_WITH_ERRORS', 'COMPLETED'],
])('a branch that fails and is %s lets the others go on', (_case, more, joined, ended) => {
  const run = new SimulatedRun([
    fork('f', [simple('a', { ...once, ...more })], [simple('b')]),
    join('j', ['a', 'b']),
  ]);
  run.fail('a', 'no');
  expect([run.run.status, run.step('b').status, run.step('j').status]).toEqual([
    'RUNNING',
    'SCHEDULED',
    'IN_PROGRESS',
  ]);
  run.end('b');
  expect([run.step('j').status, run.run.status]).toEqual([joined, ended]);
  if (ended === 'FAILED') {
    expect(run.run.reason).toBe(`Task ${run.step('j').id} failed with status: FAILED and reason: 'no'`);
    expect(run.run.failedRefs).toEqual(['a', 'j']);
  }
});

test('a JOIN of branches that may fail says which did', () => {
  const optional = { ...once, optional: true };
  const run = new SimulatedRun([
    fork('f', [simple('a', optional)], [simple('b', optional)]),
    join('j', ['a', 'b']),
  ]);
  run.fail('b', 'no');
  run.end('a', { a: 1 });
  expect(run.step('j')).toMatchObject({
    status: 'COMPLETED_WITH_ERRORS',
    reason: `do_b/${run.step('b').id} completed with errors`,
  });
});

test('a JOIN that fails has all outputs, and the reasons that there are', () => {
  const permissive = { ...once, permissive: true };
  const run = new SimulatedRun([
    fork('f', ...['a', 'b', 'c', 'd'].map((ref) => [simple(ref, permissive)])),
    join('j', ['a', 'b', 'c', 'd']),
  ]);
  run.end('d', { d: 1 });
  run.end('c', { c: 1 }, 'FAILED');
  run.end('b', { b: 1 }, 'FAILED', 'no b');
  run.end('a', { a: 1 }, 'FAILED', 'no a');
  expect(run.step('j')).toMatchObject({ status: 'FAILED', reason: 'no a no b' });
  expect(run.step('j').output).toEqual({ a: { a: 1 }, b: { b: 1 }, c: { c: 1 }, d: { d: 1 } });
});

test('a JOIN that waits has the outputs that have come, and keeps them when it is cancelled', () => {
  const run = new SimulatedRun([
    fork('f', [simple('a', once)], [simple('b')], [simple('c')]),
    join('j', ['a', 'b', 'c']),
  ]);
  run.end('b', { b: 1 });
  expect(run.step('j').output).toEqual({});
  expect(wholeOutput(run.state, run.step('j'))).toEqual({ b: { b: 1 } });
  run.fail('a');
  expect(run.step('j')).toMatchObject({ status: 'CANCELED', output: { b: { b: 1 } } });
  expect(run.run.output).toEqual({ b: { b: 1 } });
});

test('a JOIN on a case that was not taken says so, when nothing else can happen', () => {
  const choice = {
    name: 's',
    taskReferenceName: 's',
    type: 'SWITCH',
    evaluatorType: 'value-param',
    expression: 'x',
    decisionCases: { one: [simple('a')] },
  };
  const run = new SimulatedRun([fork('f', [choice], [simple('b')]), join('j', ['a', 'b'])]);
  expect(run.run.status).toBe('RUNNING');
  run.end('b');
  expect(run.step('j')).toMatchObject({
    status: 'FAILED',
    reason: "j waits for steps that can't be reached any more: a",
  });
  expect(run.run.status).toBe('FAILED');
});

const dynamic = (inputParameters: object, more: object = {}): StepDefinition[] => [
  {
    name: 'f',
    taskReferenceName: 'f',
    type: 'FORK_JOIN_DYNAMIC',
    inputParameters: inputParameters as Record<string, unknown>,
    dynamicForkTasksParam: 'tasks',
    dynamicForkTasksInputParamName: 'inputs',
    ...more,
  },
  join('j', ['overwritten']),
];

test('a dynamic fork has the branches and inputs that it is given, and its JOIN waits for them', () => {
  const tasks = [simple('a', { inputParameters: { n: 0, who: '${workflow.input.who}' } }), simple('b')];
  const run = new SimulatedRun(dynamic({ tasks: '${workflow.input.tasks}', inputs: { a: { n: 5 } } }), {
    input: { who: 'Ada', tasks },
  });
  const [a, b] = tasks;
  expect(run.step('f').input).toEqual({
    tasks,
    inputs: { a: { n: 5 } },
    forkedTasks: ['a', 'b'],
    forkedTaskDefs: [{ ...a, inputParameters: { n: 5, who: '${workflow.input.who}' } }, b],
  });
  expect(run.step('a').input).toEqual({ n: 5, who: 'Ada' });
  expect(run.step('j').input).toEqual({ joinOn: ['a', 'b'] });
  run.fail('a');
  expect(run.step('a')).toMatchObject({ retryCount: 1, input: { n: 5, who: 'Ada' } });
  run.crash();
  run.end('a', { x: 1 });
  run.end('b');
  expect(run.step('j').output).toEqual({ a: { x: 1 } });
  // As in Conductor, the last step is the one that began last.
  expect(run.run).toMatchObject({ status: 'COMPLETED', output: { x: 1 } });
});

test('what is given to a branch is data, in which nothing is replaced', () => {
  const given = { text: 'costs ${workflow.input.who} $${x}', list: [{ deep: '${a}' }], n: 1 };
  const run = new SimulatedRun(dynamic({ tasks: [simple('a')], inputs: '${workflow.input.inputs}' }), {
    input: { who: 'Ada', inputs: { a: given } },
  });
  expect(run.step('a').input).toEqual(given);
  run.fail('a');
  expect(run.step('a')).toMatchObject({ retryCount: 1, input: given });
});

test('a branch that came at run time may have steps inside', () => {
  const choice = {
    name: 's',
    taskReferenceName: 's',
    type: 'SWITCH',
    evaluatorType: 'value-param',
    expression: 'x',
    defaultCase: [simple('a'), simple('b')],
  };
  const loop = {
    name: 'l',
    taskReferenceName: 'l',
    type: 'DO_WHILE',
    items: [1, 2],
    loopOver: [simple('c')],
  };
  const run = new SimulatedRun(dynamic({ tasks: [choice, loop], inputs: {} }));
  run.crash();
  run.end('a');
  run.end('c__1');
  run.crash();
  run.end('c__2');
  run.end('b', { b: 1 });
  expect(run.run.status).toBe('COMPLETED');
});

test.each<[string, object, object, RegExp | string]>([
  ['no branches', { tasks: [], inputs: {} }, {}, 'COMPLETED'],
  ['tasks that are no list', { tasks: 'a', inputs: {} }, {}, /^Input 'tasks' is invalid.* from 'a'$/],
  ['a task that is no object', { tasks: [1], inputs: {} }, {}, /^Input 'tasks' is invalid/],
  [
    'inputs that are no object',
    { tasks: [], inputs: [1] },
    {},
    /not a map -> expecting a map of K,V {2}but found \[1]/,
  ],
  [
    'the same ref twice',
    { tasks: [simple('a'), simple('a')], inputs: {} },
    {},
    /unique reference names: a is there/,
  ],
  ['a ref of another step', { tasks: [simple('j')], inputs: {} }, {}, /unique reference names: j is another/],
  ['no ref', { tasks: [{ name: 'a' }], inputs: {} }, {}, /must have a taskReferenceName/],
  ['no parameter', {}, { dynamicForkTasksParam: '' }, /neither dynamicForkTasksParam nor/],
])('a dynamic fork with %s', (_case, inputParameters, more, expected) => {
  const run = new SimulatedRun(dynamic(inputParameters, more));
  if (typeof expected === 'string') expect(run.run.status).toBe(expected);
  else expect(run.run).toMatchObject({ status: 'FAILED', reason: expect.stringMatching(expected) });
});

test('a dynamic fork of the older form', () => {
  const more = { dynamicForkTasksParam: '', dynamicForkJoinTasksParam: 'list' };
  const dynamicTasks = [{ taskName: 'paint', referenceName: 'p', input: { c: 'red' }, type: 'SIMPLE' }];
  const run = new SimulatedRun(dynamic({ list: { dynamicTasks } }, more));
  expect(run.step('p')).toMatchObject({ type: 'paint', input: { c: 'red' } });
});

test('a dynamic fork of one task, or workflow, for many inputs', () => {
  const run = new SimulatedRun(
    dynamic({ forkTaskName: 'paint', forkTaskInputs: [{ c: 'red' }, { c: 'blue' }] }),
  );
  expect(run.step('_paint_1')).toMatchObject({ type: 'paint', input: { c: 'blue', __index: 1 } });
  const flow = new SimulatedRun(
    dynamic({ forkTaskWorkflow: 'child', forkTaskWorkflowVersion: 2, forkTaskInputs: [{ n: 1 }] }),
  );
  expect(flow.started).toMatchObject([
    { attached: true, request: { name: 'child', version: 2, input: { n: 1, __index: 0 } } },
  ]);
});

test.each<[string, string, object]>([
  ['the first of joinOn that there is', 'one', { by: 'a' }],
  ['the default, where there is none', 'other', { by: 'd' }],
])('EXCLUSIVE_JOIN takes %s', (_case, which, output) => {
  const run = new SimulatedRun(
    [
      simple('d'),
      {
        name: 's',
        taskReferenceName: 's',
        type: 'DECISION',
        caseValueParam: 'which',
        inputParameters: { which: '${workflow.input.which}' },
        decisionCases: { one: [simple('a')], two: [simple('b')] },
      },
      {
        name: 'x',
        taskReferenceName: 'x',
        type: 'EXCLUSIVE_JOIN',
        joinOn: ['a', 'b'],
        defaultExclusiveJoinTask: ['d'],
      },
    ],
    { input: { which } },
  );
  run.end('d', { by: 'd' });
  if (which === 'one') run.end('a', { by: 'a' });
  expect(run.run).toMatchObject({ status: 'COMPLETED', output });
});
