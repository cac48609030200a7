import { expect, test } from 'vitest';
import { SimulatedRun } from '../../../testing/simulated-run.ts';
import type { StepDefinition } from '../definition.ts';
import { retry } from '../try-again.ts';
import { asksOnlyIteration } from './loop.ts';

const simple = (ref: string, more = {}): StepDefinition => ({
  name: `do_${ref}`,
  taskReferenceName: ref,
  type: 'SIMPLE',
  ...more,
});
const loop = (ref: string, loopOver: StepDefinition[], more = {}): StepDefinition => ({
  name: ref,
  taskReferenceName: ref,
  type: 'DO_WHILE',
  loopCondition: '$.go',
  loopOver,
  ...more,
});

test.each<[string, boolean]>([
  ["$.loop['iteration'] < 3", true],
  ['if ($.loop.iteration < $.max) { true; } else { false; }', true],
  ['$["loop"]["iteration"] < 3 && $.a.n > 0', true],
  ['$.other.x', true],
  ['true', true],
  ["$.loop['1'].a.n < 3", false],
  ['JSON.stringify($) != ""', false],
  ['$[name].iteration', false],
  ['$.loop.iterations', false],
  ['$.loop', false],
  ['var $x = $; $x.loop', false],
])('the condition %s reads no more than the iteration: %s', (condition, expected) => {
  expect(asksOnlyIteration(condition, 'loop')).toBe(expected);
});

test('what a condition sees: parameters, the loop by its name, and the outputs inside by theirs', () => {
  const inputParameters = { max: '${workflow.input.max}' };
  const more = { inputParameters, loopCondition: '$.l["1"].a.n < $.max' };
  const run = new SimulatedRun([loop('l', [simple('a')], more)], { input: { max: 9 } });
  run.end('a__1', { n: 4 });
  const [asked] = run.evaluations.values();
  expect(asked?.input).toEqual({ max: 9, l: { iteration: 1, 1: { a: { n: 4 } } }, a: { n: 4 } });
});

test.each<[unknown, boolean]>([
  [true, true],
  [false, false],
  [1, true],
  [0, false],
  ['true', true],
  ['yes', false],
  [null, false],
])('a condition that comes to %s goes on: %s', (value, goesOn) => {
  const run = new SimulatedRun([loop('l', [simple('a')])]);
  run.end('a__1');
  run.evaluate('l', value);
  expect(run.run.status).toBe(goesOn ? 'RUNNING' : 'COMPLETED');
});

test('a condition that fails ends the loop for good', () => {
  const run = new SimulatedRun([loop('l', [simple('a')])]);
  run.end('a__1');
  const failure = { ok: false as const, message: 'no such thing', terminal: true };
  run.tell({ type: 'evaluated', stepId: run.step('l').id, round: 1, result: failure });
  expect(run.step('l')).toMatchObject({
    status: 'FAILED_WITH_TERMINAL_ERROR',
    reason: 'Unable to evaluate condition $.go, exception no such thing',
  });
});

test('an iteration that breaks off is not in the output of its loop', () => {
  const once = { taskDefinition: { name: 'once', retryCount: 0 } };
  const run = new SimulatedRun([loop('l', [simple('a', once), simple('b', once)])]);
  run.end('a__1', { n: 1 });
  run.end('b__1', { n: 2 });
  run.evaluate('l', true);
  run.end('a__2', { n: 3 });
  run.end('b__2', { n: 4 }, 'FAILED');
  const first = { a: { n: 1 }, b: { n: 2 } };
  expect(run.step('l')).toMatchObject({ status: 'CANCELED' });
  expect(run.step('l').output).toEqual({ iteration: 2, 1: first });
  expect(run.run.output).toEqual({ n: 4 });
  run.change(retry);
  run.end('b__2', { n: 5 });
  run.evaluate('l', false);
  expect(run.step('l').output).toEqual({ iteration: 2, 1: first, 2: { a: { n: 3 }, b: { n: 5 } } });
});

test('the result of an iteration that is over is not taken for that of the next', () => {
  const run = new SimulatedRun([loop('l', [simple('a')])]);
  run.end('a__1');
  run.evaluate('l', true);
  run.end('a__2');
  const late = {
    type: 'evaluated',
    stepId: run.step('l').id,
    round: 1,
    result: { ok: true, value: true },
  } as const;
  expect(run.tell(late).steps).toEqual([]);
  run.evaluate('l', false);
  expect(run.step('l')).toMatchObject({ status: 'COMPLETED', iteration: 2 });
});

test('a result that does not come is asked for again', () => {
  const run = new SimulatedRun([loop('l', [simple('a')])]);
  run.end('a__1');
  expect(run.wait(14_999).evaluations).toEqual([]);
  expect(run.wait(1).evaluations).toMatchObject([{ stepId: run.step('l').id, round: 1 }]);
  expect(run.wakeAt).toBe(run.now + 15_000);
});

test('a list has an iteration for each item, and an empty one none', () => {
  const run = new SimulatedRun(
    [
      loop(
        'l',
        [simple('a', { inputParameters: { item: '${l.output.loopItem}', at: '${l.output.loopIndex}' } })],
        {
          items: '${workflow.input.list}',
        },
      ),
    ],
    { input: { list: ['x', 'y'] } },
  );
  expect(run.step('a__1').input).toEqual({ item: 'x', at: 0 });
  run.end('a__1');
  expect(run.step('a__2').input).toEqual({ item: 'y', at: 1 });
  run.end('a__2');
  expect(run.run.status).toBe('COMPLETED');
  const none = new SimulatedRun([loop('l', [simple('a')], { inputParameters: { _items: [] } })]);
  expect(none.story).toEqual(['l COMPLETED']);
  const wrong = new SimulatedRun([loop('l', [simple('a')], { items: 'x' })]);
  expect(wrong.step('l').status).toBe('FAILED_WITH_TERMINAL_ERROR');
});

test('keepLastN forgets iterations that are older, with all that is inside', () => {
  const inner = loop('m', [simple('b')], { items: [1, 2] });
  const run = new SimulatedRun([loop('l', [inner], { items: [1, 2, 3], inputParameters: { keepLastN: 2 } })]);
  for (const ref of ['b__1__1', 'b__1__2', 'b__2__1', 'b__2__2']) run.end(ref);
  const refs = run.steps.map((step) => step.ref);
  expect(refs).toEqual(['l', 'm__2', 'b__2__1', 'b__2__2', 'm__3', 'b__3__1']);
  run.end('b__3__1');
  run.end('b__3__2');
  expect(Object.keys(run.step('l').output).sort()).toEqual(['2', '3', 'iteration', 'loopIndex', 'loopItem']);
});

test('a loop in a loop, with a fork and a switch inside', () => {
  const fork = {
    name: 'f',
    taskReferenceName: 'f',
    type: 'FORK_JOIN',
    forkTasks: [[simple('a')], [simple('b')]],
  };
  const join = { name: 'j', taskReferenceName: 'j', type: 'JOIN', joinOn: ['a', 'b'] };
  const choice = {
    name: 's',
    taskReferenceName: 's',
    type: 'SWITCH',
    evaluatorType: 'value-param',
    expression: 'x',
    inputParameters: { x: '${outer.output.loopItem}' },
    decisionCases: { two: [simple('c')] },
  };
  const inner = loop('inner', [fork, join, choice], { items: [1] });
  const run = new SimulatedRun([loop('outer', [inner], { items: ['one', 'two'] }), simple('z')]);
  run.end('a__1__1');
  run.end('b__1__1', { n: 1 });
  expect(run.step('j__1__1').output).toEqual({ b__1__1: { n: 1 } });
  run.crash();
  run.end('a__2__1');
  run.end('b__2__1');
  expect(run.step('s__2__1').output).toMatchObject({ selectedCase: 'two' });
  run.end('c__2__1');
  expect([run.step('inner__2').status, run.step('outer').status, run.step('z').status]).toEqual([
    'COMPLETED',
    'COMPLETED',
    'SCHEDULED',
  ]);
  expect(run.step('c__2__1')).toMatchObject({ iteration: 1, parentStepId: run.step('inner__2').id });
});

test('500 iterations of steps that are over at once', () => {
  const noop = { name: 'n', taskReferenceName: 'n', type: 'NOOP' };
  const items = Array.from({ length: 500 }, (_, at) => at);
  const run = new SimulatedRun([loop('l', [noop, { ...noop, taskReferenceName: 'm' }], { items })]);
  expect(run.run.status).toBe('COMPLETED');
  expect(run.step('l')).toMatchObject({ iteration: 500, output: { iteration: 500, 500: { n: {}, m: {} } } });
});

test('a step that fails inside is tried again in the same iteration, and in the end fails the run', () => {
  const run = new SimulatedRun([loop('l', [simple('a', { retryCount: 1 })])]);
  run.fail('a__1');
  expect(run.step('a__1')).toMatchObject({ retryCount: 1, iteration: 1, status: 'SCHEDULED' });
  run.fail('a__1');
  expect([run.step('l').status, run.run.status]).toEqual(['CANCELED', 'FAILED']);
});

test('paused while its condition is asked for, a loop asks again when the run goes on', () => {
  const run = new SimulatedRun([loop('l', [simple('a')])]);
  run.end('a__1');
  run.write({ status: 'PAUSED' });
  run.evaluate('l', true);
  expect(run.state.latest.has('a__2')).toBe(false);
  run.write({ status: 'RUNNING' });
  run.tell({ type: 'time' });
  run.evaluate('l', true);
  expect(run.step('a__2').status).toBe('SCHEDULED');
});

test('an iteration is not over before what came at run time is', () => {
  const choice = {
    name: 's',
    taskReferenceName: 's',
    type: 'SWITCH',
    evaluatorType: 'value-param',
    expression: 'x',
    defaultCase: [simple('a')],
  };
  const fork = {
    name: 'f',
    taskReferenceName: 'f',
    type: 'FORK_JOIN_DYNAMIC',
    inputParameters: { tasks: [choice], inputs: {} },
    dynamicForkTasksParam: 'tasks',
    dynamicForkTasksInputParamName: 'inputs',
  };
  const join = { name: 'j', taskReferenceName: 'j', type: 'JOIN' };
  const run = new SimulatedRun([loop('l', [fork, join], { inputParameters: { keepLastN: 1 } })]);
  expect([run.step('j__1').status, run.evaluations.size]).toEqual(['COMPLETED', 0]);
  run.end('a__1');
  expect(run.evaluations.size).toBe(1);
});
