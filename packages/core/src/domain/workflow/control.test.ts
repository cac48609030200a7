import { expect, test } from 'vitest';
import { SimulatedRun } from '../../testing/simulated-run.ts';
import { pause, resetCallbacks, resume, skip, terminate } from './control.ts';
import type { StepDefinition } from './definition.ts';
import { rerunAll, rerunAround, rerunFrom } from './rerun.ts';
import { restart, retry } from './try-again.ts';

const simple = (ref: string, more = {}): StepDefinition => ({
  name: `do_${ref}`,
  taskReferenceName: ref,
  type: 'SIMPLE',
  taskDefinition: { name: `do_${ref}`, retryCount: 0 },
  ...more,
});
const fork = (ref: string, ...forkTasks: StepDefinition[][]): StepDefinition => ({
  name: ref,
  taskReferenceName: ref,
  type: 'FORK_JOIN',
  forkTasks,
});
const join = (ref: string, joinOn: string[]): StepDefinition => ({
  name: ref,
  taskReferenceName: ref,
  type: 'JOIN',
  joinOn,
});
const loop = (ref: string, ...loopOver: StepDefinition[]): StepDefinition => ({
  name: ref,
  taskReferenceName: ref,
  type: 'DO_WHILE',
  loopCondition: `$.${ref}['iteration'] < 3`,
  loopOver,
});

test('a paused run lets steps end and begins nothing; resumed, it goes on from there', () => {
  const run = new SimulatedRun([simple('a'), simple('b')]);
  run.change(pause);
  expect(run.change(pause).run).toBeUndefined();
  run.end('a');
  expect(run.story).toEqual(['a COMPLETED']);
  expect(run.run.status).toBe('PAUSED');
  run.change(resume);
  expect(run.story).toEqual(['a COMPLETED', 'b SCHEDULED']);
  expect(() => run.change(resume)).toThrow('is not PAUSED so cannot resume. Current status is RUNNING');
  run.end('b');
  expect(() => run.change(pause)).toThrow('Workflow flow.1/run-1 has ended, status cannot be updated.');
});

test('a terminated run cancels what is open; one that failed is called so; a complete one is refused', () => {
  const run = new SimulatedRun([simple('a')], { definition: { failureWorkflow: 'mend' } });
  const { id } = run.step('a');
  const decision = run.change((state, context) => terminate(state, { reason: 'enough' }, context));
  expect(decision).toMatchObject({ withdrawn: [id], starts: [] });
  expect(run.run).toMatchObject({ status: 'TERMINATED', reason: 'enough' });
  expect(run.change((state, context) => terminate(state, {}, context)).run).toBeUndefined();

  const failed = new SimulatedRun([simple('a')]);
  failed.fail('a');
  failed.change((state, context) => terminate(state, { reason: 'by hand' }, context));
  expect(failed.run).toMatchObject({ status: 'TERMINATED', reason: 'by hand' });

  const mended = new SimulatedRun([simple('a')], { definition: { failureWorkflow: 'mend' } });
  mended.change((state, context) => terminate(state, { triggerFailureWorkflow: true }, context));
  expect(mended.started.map(({ request }) => request.name)).toEqual(['mend']);

  const done = new SimulatedRun([simple('a')]);
  done.end('a');
  expect(() => done.change((state, context) => terminate(state, {}, context))).toThrow('COMPLETED');
});

test('a step that was not reached is skipped, and the flow goes past it', () => {
  const run = new SimulatedRun([
    simple('a'),
    simple('b'),
    simple('c', { inputParameters: { n: '${b.output.n}' } }),
  ]);
  run.change((state, context) => skip(state, 'b', { input: { by: 1 }, output: { n: 7 } }, context));
  expect(run.story).toEqual(['a SCHEDULED', 'b SKIPPED']);
  run.end('a');
  expect(run.step('c').input).toEqual({ n: 7 });
  for (const [ref, words] of [
    ['a', 'already been processed'],
    ['b', 'already been processed'],
    ['x', 'does not exist'],
  ] as const) {
    expect(() => run.change((state, context) => skip(state, ref, {}, context))).toThrow(words);
  }
  run.end('c');
  expect(run.run.status).toBe('COMPLETED');
  expect(() => run.change((state, context) => skip(state, 'x', {}, context))).toThrow('is not running');
});

test('steps that come back later may be taken at once', () => {
  const run = new SimulatedRun([simple('a'), simple('b')]);
  const { id } = run.step('a');
  run.tell({ type: 'reported', stepId: id, status: 'IN_PROGRESS', output: {}, callbackAfterSeconds: 60 });
  expect(run.change(resetCallbacks).jobs).toMatchObject([{ stepId: id, delayMs: 0, again: true }]);
  expect(run.change(resetCallbacks).jobs).toEqual([]);
  expect(run.step('a').callbackAfterSeconds).toBe(0);
});

test('restart begins anew, with the definition of the run or another one', () => {
  const run = new SimulatedRun([simple('a'), simple('b')], { definition: { variables: { n: 1 } } });
  expect(() => run.change((state, context) => restart(state, undefined, context))).toThrow('terminal');
  run.end('a');
  run.fail('b');
  run.change((state, context) => restart(state, undefined, context));
  expect(run.story).toEqual(['a SCHEDULED']);
  expect(run.run).toMatchObject({ status: 'RUNNING', output: {}, failedRefs: ['b'], variables: { n: 1 } });
  expect(run.step('a').seq).toBe(3);
  run.fail('a');
  const other = { name: 'flow', version: 2, tasks: [simple('x')] };
  run.change((state, context) => restart(state, other, context));
  expect(run.story).toEqual(['x SCHEDULED']);
  run.end('x');
  const once = { ...other, restartable: false };
  expect(() => run.change((state, context) => restart(state, once, context))).toThrow('non-restartable');
});

test('a retry remembers what had failed, and begins without a reason; a rerun begins without either', () => {
  const run = new SimulatedRun([simple('a')]);
  run.fail('a', 'no', 'FAILED_WITH_TERMINAL_ERROR');
  run.change(retry);
  expect(run.run).toMatchObject({ status: 'RUNNING', failedRefs: ['a'] });
  expect(run.step('a').reason).toBeUndefined();
  run.end('a');
  expect(run.run).toMatchObject({ status: 'COMPLETED', failedRefs: ['a'] });
  run.change((state, context) => rerunAll(state, {}, context));
  expect(run.run).toMatchObject({ status: 'RUNNING', failedRefs: [], failedNames: [] });
});

test('retry tries again what failed and what was cancelled; the join goes on waiting', () => {
  const run = new SimulatedRun([
    fork('f', [simple('a')], [simple('b')], [simple('c')]),
    join('j', ['a', 'b', 'c']),
  ]);
  expect(() => run.change(retry)).toThrow('still running');
  run.end('c');
  run.fail('a');
  const joinId = run.step('j').id;
  run.change(retry);
  expect(run.story.slice(4)).toEqual(['j IN_PROGRESS', 'a SCHEDULED', 'b SCHEDULED']);
  expect(run.step('a')).toMatchObject({ retryCount: 1, reason: undefined });
  expect(run.run.failedRefs).toEqual(['a']);
  run.end('a', { a: 1 });
  run.end('b', { b: 1 });
  expect(run.run.status).toBe('COMPLETED');
  expect(run.step('j')).toMatchObject({ id: joinId, output: { a: { a: 1 }, b: { b: 1 } } });
  expect(() => run.change(retry)).toThrow('no retryable tasks');
});

test('a join that failed with its branch waits for the other attempt', () => {
  const run = new SimulatedRun([
    fork('f', [simple('a', { permissive: true })], [simple('b', { permissive: true })]),
    join('j', ['a', 'b']),
  ]);
  run.fail('a');
  run.end('b');
  expect(run.story).toContain('j FAILED');
  run.change(retry);
  expect(run.step('j').status).toBe('IN_PROGRESS');
  run.end('a');
  expect(run.run.status).toBe('COMPLETED');
});

test('a step in a loop that is tried again, and after which all was done before, ends the iteration', () => {
  const inner = loop('l', simple('a', { permissive: true }), simple('b'));
  const run = new SimulatedRun([fork('f', [inner], [simple('c')]), join('j', ['l', 'c'])]);
  run.fail('a__1');
  run.end('b__1');
  // The loop fails, since one of its steps has, and with it the run.
  expect([run.step('l').status, run.run.status]).toEqual(['FAILED', 'FAILED']);
  run.change(retry);
  expect([run.step('l').status, run.step('a__1').status]).toEqual(['IN_PROGRESS', 'SCHEDULED']);
  run.end('a__1');
  // It does not wait for the other branch to be told.
  expect(run.step('c').status).toBe('SCHEDULED');
  run.evaluate('l', false);
  expect(run.step('l').status).toBe('COMPLETED');
});

test('retry inside a loop stays in its iteration', () => {
  const run = new SimulatedRun([loop('l', simple('a'), simple('b')), simple('z')]);
  run.end('a__1');
  run.end('b__1');
  run.evaluate('l', true);
  run.end('a__2');
  run.fail('b__2');
  expect(run.run.status).toBe('FAILED');
  run.change(retry);
  expect(run.step('l')).toMatchObject({ status: 'IN_PROGRESS', iteration: 2, output: { iteration: 2 } });
  expect(run.step('b__2')).toMatchObject({ status: 'SCHEDULED', retryCount: 1 });
  run.end('b__2');
  run.evaluate('l', false);
  expect(run.step('l').output).toMatchObject({ iteration: 2, 1: {}, 2: {} });
  expect(run.step('z').status).toBe('SCHEDULED');
});

test('a run whose own time was over is tried again though no step failed', () => {
  const run = new SimulatedRun([simple('a')], {
    definition: { timeoutSeconds: 10, timeoutPolicy: 'TIME_OUT_WF' },
  });
  run.wait(10_000);
  expect(run.run.status).toBe('TIMED_OUT');
  run.change(retry);
  expect(run.story).toEqual(['a CANCELED', 'a SCHEDULED']);
  run.wait(5_000);
  expect(run.run.status).toBe('RUNNING');
});

test('rerun from a step keeps its id, and removes what came after it', () => {
  const run = new SimulatedRun([
    simple('a'),
    simple('b', { inputParameters: { n: '${a.output.n}' } }),
    simple('c'),
  ]);
  const around = run.step.bind(run);
  expect(() => run.change((state, context) => rerunAll(state, {}, context))).toThrow('terminal');
  run.end('a', { n: 1 });
  const { id } = around('b');
  run.end('b');
  run.fail('c');
  run.change((state, context) => rerunFrom(state, around('b'), { stepInput: { n: 9 } }, context));
  expect(run.story).toEqual(['a COMPLETED', 'b SCHEDULED']);
  expect(run.step('b')).toMatchObject({ id, input: { n: 9 }, output: {}, retried: false });
  expect(run.jobs.get(id)).toMatchObject({ again: false, payload: { n: 9 } });
  run.end('b');
  run.end('c');
  expect(run.run.status).toBe('COMPLETED');
  run.change((state, context) => rerunAll(state, { runInput: { who: 2 }, correlationId: 'c-2' }, context));
  expect(run.story).toEqual(['a SCHEDULED']);
  expect(run.run).toMatchObject({ input: { who: 2 }, correlationId: 'c-2' });
});

test('rerun inside a fork opens its join, and other branches begin anew where they are gone', () => {
  const run = new SimulatedRun([
    simple('s'),
    fork('f', [simple('a'), simple('a2')], [simple('b'), simple('b2')]),
    join('j', ['a2', 'b2']),
    simple('z'),
  ]);
  for (const ref of ['s', 'a', 'b', 'b2', 'a2', 'z']) run.end(ref);
  expect(run.run.status).toBe('COMPLETED');
  const { id } = run.step('b2');
  run.change((state, context) => rerunFrom(state, run.step('b2'), {}, context));
  expect(run.step('b2')).toMatchObject({ id, status: 'SCHEDULED' });
  expect(run.step('a2').status).toBe('COMPLETED');
  expect(run.step('j').status).toBe('IN_PROGRESS');
  expect(run.story).not.toContain('z COMPLETED');
  run.end('b2');
  run.end('z');
  expect(run.run.status).toBe('COMPLETED');

  run.change((state, context) => rerunFrom(state, run.step('a'), {}, context));
  expect(run.story.toSorted()).toEqual([
    'a SCHEDULED',
    'b SCHEDULED',
    'f COMPLETED',
    'j IN_PROGRESS',
    's COMPLETED',
  ]);
  for (const ref of ['a', 'a2', 'b', 'b2', 'z']) run.end(ref);
  expect(run.run.status).toBe('COMPLETED');
});

test('rerun of a later branch tries again what the end of the run had cancelled in another one', () => {
  const flow = [
    { name: 'f', taskReferenceName: 'f', type: 'FORK_JOIN', forkTasks: [[simple('a')], [simple('b')]] },
    { name: 'j', taskReferenceName: 'j', type: 'JOIN', joinOn: ['a', 'b'] },
  ];
  const run = new SimulatedRun(flow);
  run.fail('b', 'no', 'FAILED_WITH_TERMINAL_ERROR');
  expect([run.run.status, run.step('a').status]).toEqual(['FAILED', 'CANCELED']);
  const { id } = run.step('b');
  run.change((state, context) => rerunFrom(state, run.step('b'), {}, context));
  expect(run.run.status).toBe('RUNNING');
  expect(run.step('a')).toMatchObject({ status: 'SCHEDULED', retryCount: 1 });
  expect(run.step('b')).toMatchObject({ id, status: 'SCHEDULED', retryCount: 0 });
  run.end('b');
  expect(run.step('j').status).toBe('IN_PROGRESS');
  run.end('a');
  expect(run.run.status).toBe('COMPLETED');
});

test('rerun inside a loop goes back to its iteration', () => {
  const run = new SimulatedRun([loop('l', simple('a'), simple('b')), simple('z')]);
  for (const more of [true, true, false]) {
    const { iteration } = run.step('l');
    run.end(`a__${iteration}`);
    run.end(`b__${iteration}`);
    run.evaluate('l', more);
  }
  run.end('z');
  expect(run.run.status).toBe('COMPLETED');
  run.change((state, context) => rerunFrom(state, run.step('b__2'), {}, context));
  expect(run.story).toEqual([
    'l IN_PROGRESS',
    'a__1 COMPLETED',
    'b__1 COMPLETED',
    'a__2 COMPLETED',
    'b__2 SCHEDULED',
  ]);
  expect(run.step('l')).toMatchObject({ iteration: 2 });
  run.end('b__2');
  run.evaluate('l', false);
  run.end('z');
  expect(run.run.status).toBe('COMPLETED');
  run.change((state, context) => rerunFrom(state, run.step('l'), {}, context));
  expect(run.story).toEqual(['l IN_PROGRESS', 'a__1 SCHEDULED']);
});

test('rerun of a dynamic fork makes its branches again', () => {
  const branches = [simple('x'), simple('y')];
  const run = new SimulatedRun([
    {
      name: 'df',
      taskReferenceName: 'df',
      type: 'FORK_JOIN_DYNAMIC',
      inputParameters: { tasks: branches, inputs: { x: { n: 1 }, y: { n: 2 } } },
      dynamicForkTasksParam: 'tasks',
      dynamicForkTasksInputParamName: 'inputs',
    },
    join('j', []),
    simple('z'),
  ]);
  for (const ref of ['x', 'y', 'z']) run.end(ref, { by: ref });
  run.change((state, context) => rerunFrom(state, run.step('x'), {}, context));
  expect(run.step('x').input).toMatchObject({ n: 1 });
  expect(run.step('y')).toMatchObject({ status: 'SCHEDULED', input: { n: 2 } });
  expect(run.step('j')).toMatchObject({ status: 'IN_PROGRESS', input: { joinOn: ['x', 'y'] } });
  for (const ref of ['x', 'y', 'z']) run.end(ref);
  expect(run.run.status).toBe('COMPLETED');
});

test('a run around one that is done again waits for it, without what came after', () => {
  const child = {
    name: 's',
    taskReferenceName: 's',
    type: 'SUB_WORKFLOW',
    subWorkflowParam: { name: 'other' },
  };
  const run = new SimulatedRun([child, simple('z')]);
  const { id: stepId, subRunId: runId = '' } = run.step('s');
  run.tell({ type: 'run-ended', stepId, runId, status: 'COMPLETED', output: { n: 1 }, reason: undefined });
  run.end('z');
  run.change((state, context) => rerunAround(state, run.step('s'), {}, context));
  expect(run.story).toEqual(['s IN_PROGRESS']);
  expect(run.step('s')).toMatchObject({ id: stepId, subRunId: runId });
  run.tell({ type: 'run-ended', stepId, runId, status: 'COMPLETED', output: { n: 2 }, reason: undefined });
  run.end('z');
  expect(run.run.status).toBe('COMPLETED');
});

test('retry of a sub-workflow that had failed by itself leaves the join around it waiting', () => {
  const child = {
    name: 's',
    taskReferenceName: 's',
    type: 'SUB_WORKFLOW',
    subWorkflowParam: { name: 'other' },
  };
  const run = new SimulatedRun([
    { name: 'f', taskReferenceName: 'f', type: 'FORK_JOIN', forkTasks: [[child], [simple('w')]] },
    join('j', ['s', 'w']),
  ]);
  run.end('w');
  const [start] = run.started;
  const { id: stepId } = run.step('s');
  run.tell({
    type: 'run-ended',
    stepId,
    runId: start?.runId ?? '',
    status: 'FAILED',
    output: {},
    reason: undefined,
  });
  run.change(retry);
  expect([run.run.status, run.step('s').status, run.step('j').status]).toEqual([
    'RUNNING',
    'IN_PROGRESS',
    'IN_PROGRESS',
  ]);
});

/** What may happen to a loop that waits for its condition while its run is paused. */
const pausedLoops: Record<string, (run: SimulatedRun) => void> = {
  'the answer came meanwhile': (run) => void run.evaluate('l', true),
  'no answer came': () => {},
  'it was asked again, and answered': (run) => {
    run.wait(20_000);
    run.evaluate('l', true);
  },
  'the answer came, and the process died': (run) => {
    run.evaluate('l', true);
    run.crash();
  },
  'the process died before it came': (run) => run.crash(),
  'the answer was an error': (run) => {
    const { id } = run.step('l');
    const result = { ok: false, message: 'no', terminal: true } as const;
    run.tell({ type: 'evaluated', stepId: id, round: 1, result });
  },
};

test.each(Object.keys(pausedLoops))(
  'a loop whose condition was pending at a pause goes on after it: %s',
  (what) => {
    const run = new SimulatedRun([loop('l', simple('a')), simple('b')]);
    run.end('a__1');
    run.change(pause);
    pausedLoops[what]?.(run);
    expect(run.story).toEqual(['l IN_PROGRESS', 'a__1 COMPLETED']);
    run.change(resume);
    run.wait(20_000);
    run.evaluate('l', true);
    expect(run.story).toEqual(['l IN_PROGRESS', 'a__1 COMPLETED', 'a__2 SCHEDULED']);
    run.end('a__2');
    run.evaluate('l', false);
    run.end('b');
    expect(run.run.status).toBe('COMPLETED');
  },
);

test('a loop within a loop goes on after a pause in which both conditions were pending or due', () => {
  const run = new SimulatedRun([loop('out', loop('in', simple('a'))), simple('b')]);
  run.end('a__1__1');
  run.change(pause);
  run.evaluate('in__1', false);
  run.change(resume);
  run.evaluate('in__1', false);
  run.change(pause);
  run.evaluate('out', false);
  run.change(resume);
  run.evaluate('out', false);
  run.end('b');
  expect(run.run.status).toBe('COMPLETED');
});
