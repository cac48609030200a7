import { expect, test } from 'vitest';
import { SimulatedRun } from '../../testing/simulated-run.ts';
import { definitionOf } from './compile.ts';
import { wholeOutput } from './gathered-output.ts';

const simple = (ref: string, more = {}) => ({
  name: `do_${ref}`,
  taskReferenceName: ref,
  type: 'SIMPLE',
  ...more,
});

test('two steps in a row: the second input is built from the first output and the input of the run', () => {
  const run = new SimulatedRun(
    [simple('a'), simple('b', { inputParameters: { n: '${a.output.n}', who: '${workflow.input.who}' } })],
    { input: { who: 'Ada' } },
  );
  expect(run.story).toEqual(['a SCHEDULED']);
  run.end('a', { n: 3 });
  expect(run.step('b').input).toEqual({ n: 3, who: 'Ada' });
  run.end('b', { done: true });
  expect(run.run.status).toBe('COMPLETED');
  expect(run.run.output).toEqual({ done: true });
});

test('asked again, with old news, it changes nothing', () => {
  const run = new SimulatedRun([simple('a'), simple('b')]);
  const { id } = run.step('a');
  run.end('a');
  const again = run.tell({ type: 'reported', stepId: id, status: 'FAILED', output: {} }, { type: 'time' });
  expect(again).toMatchObject({ run: undefined, steps: [], jobs: [], removed: [], withdrawn: [] });
});

test('a step that fails is tried again, later, until there are no attempts left', () => {
  const task = { name: 'do_a', retryCount: 2, retryDelaySeconds: 10, retryLogic: 'LINEAR_BACKOFF' as const };
  const run = new SimulatedRun([simple('a', { taskDefinition: task })]);
  const first = run.step('a').id;
  run.fail('a');
  expect(run.step('a')).toMatchObject({ retryCount: 1, retriedStepId: first, callbackAfterSeconds: 10 });
  expect(run.jobs.get(run.step('a').id)?.delayMs).toBe(10_000);
  run.fail('a');
  run.fail('a', 'for good');
  expect(run.run.status).toBe('FAILED');
  expect(run.run.reason).toBe(`Task ${run.step('a').id} failed with status: FAILED and reason: 'for good'`);
  expect(run.run.failedRefs).toEqual(['a']);
});

test('a fork begins its branches at once, and its join ends with the last of them', () => {
  const run = new SimulatedRun([
    {
      name: 'f',
      taskReferenceName: 'f',
      type: 'FORK_JOIN',
      forkTasks: [[simple('a'), simple('b')], [simple('c')]],
    },
    { name: 'j', taskReferenceName: 'j', type: 'JOIN', joinOn: ['b', 'c'] },
    simple('z'),
  ]);
  expect(run.story).toEqual(['f COMPLETED', 'a SCHEDULED', 'c SCHEDULED', 'j IN_PROGRESS']);
  run.end('c', { c: 1 });
  run.end('a');
  expect(run.step('j').status).toBe('IN_PROGRESS');
  run.end('b', { b: 2 });
  expect(run.step('j')).toMatchObject({ status: 'COMPLETED', output: { b: { b: 2 }, c: { c: 1 } } });
  run.end('z');
  expect(run.run.status).toBe('COMPLETED');
});

test('a branch that fails ends the run and cancels the others', () => {
  const run = new SimulatedRun([
    { name: 'f', taskReferenceName: 'f', type: 'FORK_JOIN', forkTasks: [[simple('a')], [simple('b')]] },
    { name: 'j', taskReferenceName: 'j', type: 'JOIN', joinOn: ['a', 'b'] },
  ]);
  run.fail('a', 'no', 'FAILED_WITH_TERMINAL_ERROR');
  expect(run.story).toEqual(['f COMPLETED', 'a FAILED_WITH_TERMINAL_ERROR', 'b CANCELED', 'j CANCELED']);
  expect(run.last.withdrawn).toEqual([run.step('b').id]);
  expect(run.run.status).toBe('FAILED');
});

test('a switch goes on with the case of its value, and then with what follows it', () => {
  const cases = { one: [simple('a')], none: [] };
  const definition = {
    name: 's',
    taskReferenceName: 's',
    type: 'SWITCH',
    evaluatorType: 'value-param',
    expression: 'which',
    inputParameters: { which: '${workflow.input.which}' },
    decisionCases: cases,
    defaultCase: [simple('d')],
  };
  const follow = (which: string) => new SimulatedRun([definition, simple('z')], { input: { which } });
  const one = follow('one');
  expect(one.story).toEqual(['s COMPLETED', 'a SCHEDULED']);
  expect(one.step('s')).toMatchObject({
    input: { case: 'one', hasChildren: 'true' },
    output: { evaluationResult: ['one'], selectedCase: 'one' },
  });
  one.end('a');
  expect(one.step('z').status).toBe('SCHEDULED');
  expect(follow('none').story).toEqual(['s COMPLETED', 'z SCHEDULED']);
  expect(follow('other').story).toEqual(['s COMPLETED', 'd SCHEDULED']);
});

test('a loop does its steps until its condition says no, and has the outputs of all iterations', () => {
  const run = new SimulatedRun([
    {
      name: 'l',
      taskReferenceName: 'l',
      type: 'DO_WHILE',
      loopCondition: "$.l['iteration'] < 2",
      loopOver: [simple('a', { inputParameters: { round: '${l.output.iteration}' } })],
    },
    simple('z', { inputParameters: { all: '${l.output}', first: '${l.output.1.a.n}' } }),
  ]);
  expect(run.step('a__1').input).toEqual({ round: 1 });
  run.end('a__1', { n: 1 });
  expect([...run.evaluations.values()]).toMatchObject([
    { round: 1, input: { l: { iteration: 1 }, a: { n: 1 } } },
  ]);
  run.evaluate('l', true);
  expect(run.step('a__2').input).toEqual({ round: 2 });
  run.end('a__2', { n: 2 });
  run.evaluate('l', false);
  const output = { iteration: 2, 1: { a: { n: 1 } }, 2: { a: { n: 2 } } };
  expect(run.step('l')).toMatchObject({ status: 'COMPLETED', output });
  expect(run.step('z').input).toEqual({ all: output, first: 1 });
});

test('the output of a loop that runs is in its steps, and put together when somebody looks', () => {
  const run = new SimulatedRun([
    { name: 'l', taskReferenceName: 'l', type: 'DO_WHILE', loopCondition: 'true', loopOver: [simple('a')] },
  ]);
  run.end('a__1', { n: 1 });
  run.evaluate('l', true);
  expect(run.step('l').output).toEqual({ iteration: 2 });
  expect(wholeOutput(run.state, run.step('l'))).toEqual({ iteration: 2, 1: { a: { n: 1 } } });
  expect(definitionOf(run.run.definition, 'a__2')?.name).toBe('do_a');
});
