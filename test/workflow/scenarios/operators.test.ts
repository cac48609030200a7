/** Scenarios 28 to 32 and 34 to 38 of Conductor's suite: decisions, loops, and steps that no worker does. */

import { describe, expect, test } from 'vitest';
import type { StepDefinition } from '../../../packages/core/src/index.ts';
import { until } from '../../worker/site.ts';
import { fork, join, openStage, simple, stepOf } from './stage.ts';

const stage = openStage();

const choose = (ref: string, which: string, decisionCases: Record<string, StepDefinition[]>, more = {}) =>
  stepOf(
    'SWITCH',
    ref,
    { which },
    { evaluatorType: 'value-param', expression: 'which', decisionCases, ...more },
  );
const loop = (ref: string, times: number, ...loopOver: StepDefinition[]): StepDefinition =>
  stepOf('DO_WHILE', ref, {}, { loopCondition: `$.${ref}['iteration'] < ${times}`, loopOver });

describe('DYNAMIC', () => {
  test('as the first step of a run is handed out under the name that its input tells', async () => {
    const { workflows } = stage.site().lineshaft;
    await workflows.putTask({ name: 'chosen_first', retryCount: 0 });
    const dynamic = stepOf('DYNAMIC', 'pick', { which: 'chosen_first' }, { dynamicTaskNameParam: 'which' });
    const play = await stage.play([dynamic]);
    const [polled] = await workflows.poll({
      kind: 'chosen_first',
      workerId: 'w',
      count: 1,
      timeoutMs: 5_000,
    });
    expect(polled?.step).toMatchObject({ ref: 'pick', name: 'chosen_first' });
    await play.end('pick');
    expect((await play.ended()).run.status).toBe('COMPLETED');
  });
});

describe('28. Switch/Decision: case, default, nested, no default, case leading into a fork', () => {
  const tasks = [
    choose(
      'outer',
      '${workflow.input.a}',
      {
        nested: [
          simple('t1'),
          choose('inner', '${workflow.input.b}', { one: [simple('t2')] }, { defaultCase: [simple('t3')] }),
        ],
        fork: [fork('fork', [simple('t4')], [simple('t5')]), join('join', 't4', 't5')],
      },
      { defaultCase: [simple('t6')] },
    ),
    simple('last'),
  ];

  test.each<[object, string[]]>([
    [{ a: 'nested', b: 'one' }, ['t1', 't2', 'last']],
    [{ a: 'nested', b: 'x' }, ['t1', 't3', 'last']],
    [{ a: 'fork' }, ['t4', 't5', 'last']],
    [{ a: 'x' }, ['t6', 'last']],
  ])('with %j: %j', async (input, refs) => {
    const play = await stage.play(tasks, { input: input as Record<string, unknown> });
    for (const ref of refs) await play.end(ref);
    const { run, steps } = await play.ended();
    expect(run.status).toBe('COMPLETED');
    expect(steps.filter((step) => refs.includes(step.ref)).map((step) => step.ref)).toEqual(refs);
  });

  test('no default: nothing, and on', async () => {
    const play = await stage.play([choose('s', 'x', { one: [simple('t1')] }), simple('last')]);
    await play.end('last');
    expect(await play.story()).toEqual(['s COMPLETED', 'last COMPLETED']);
  });

  test('by script, also DECISION', async () => {
    const play = await stage.play([
      stepOf(
        'DECISION',
        'd',
        { n: 3 },
        { caseExpression: "$.n > 2 ? 'big' : 'small'", decisionCases: { big: [simple('t1')] } },
      ),
    ]);
    await play.end('t1');
    const { steps } = await play.ended();
    expect(steps[0]).toMatchObject({ type: 'DECISION', output: { caseOutput: ['big'] } });
  });
});

describe('29. DoWhile: 1 iteration, 2 iterations of 5 tasks, of system tasks, with sub-workflow, multiple loops in sequence', () => {
  test('one iteration', async () => {
    const play = await stage.play([loop('loop', 1, simple('t1'))]);
    await play.end('t1__1', { n: 1 });
    const { run, steps } = await play.ended();
    expect(run.status).toBe('COMPLETED');
    expect(steps[0]).toMatchObject({ iteration: 1, output: { iteration: 1, 1: { t1: { n: 1 } } } });
  });

  test('two iterations of five steps', async () => {
    const refs = ['t1', 't2', 't3', 't4', 't5'];
    const play = await stage.play([loop('loop', 2, ...refs.map((ref) => simple(ref)))]);
    for (const iteration of [1, 2]) for (const ref of refs) await play.end(`${ref}__${iteration}`);
    const { run, steps } = await play.ended();
    expect(run.status).toBe('COMPLETED');
    expect(steps).toHaveLength(11);
    expect(steps[0]?.output).toMatchObject({ iteration: 2 });
  });

  test('of steps that no worker does', async () => {
    const script = stepOf('INLINE', 'twice', {
      n: '${loop.output.iteration}',
      evaluatorType: 'javascript',
      expression: '$.n * 2',
    });
    const play = await stage.play([loop('loop', 3, script, stepOf('NOOP', 'noop'))]);
    const { run, steps } = await play.ended();
    expect(run.status).toBe('COMPLETED');
    expect(steps[0]?.output).toMatchObject({ iteration: 3, 3: { twice: { result: 6 } } });
  });

  test('with a sub-workflow', async () => {
    const name = await stage.register([simple('inner')]);
    const play = await stage.play([
      loop('loop', 2, stepOf('SUB_WORKFLOW', 'sub', {}, { subWorkflowParam: { name, version: 1 } })),
    ]);
    for (const ref of ['sub__1', 'sub__2'])
      await stage.follow((await play.step(ref)).subRunId ?? '').end('inner');
    expect((await play.ended()).run.status).toBe('COMPLETED');
  });

  test('several loops one after the other', async () => {
    const play = await stage.play([
      loop('first', 1, simple('t1')),
      simple('between'),
      loop('second', 2, simple('t2')),
    ]);
    for (const ref of ['t1__1', 'between', 't2__1', 't2__2']) await play.end(ref);
    expect((await play.ended()).run.status).toBe('COMPLETED');
  });
});

describe('30. DoWhile: inside a fork; inner decision; set-variable inside; iteration used in inner script expression', () => {
  test('all of that', async () => {
    const inner = [
      stepOf('SET_VARIABLE', 'set', { last: '${loop.output.iteration}' }),
      stepOf('INLINE', 'odd', {
        n: '${loop.output.iteration}',
        evaluatorType: 'graaljs',
        expression: "$.n % 2 ? 'odd' : 'even'",
      }),
      choose('which', '${odd.output.result}', { even: [simple('t1')] }),
    ];
    const play = await stage.play([
      fork('fork', [loop('loop', 2, ...inner)], [simple('t2')]),
      join('join', 'loop', 't2'),
    ]);
    await play.end('t1__2');
    await play.end('t2');
    const { run } = await play.ended();
    expect(run).toMatchObject({ status: 'COMPLETED', variables: { last: 2 } });
  });
});

describe('31. DoWhile: inner task failure → manual retry and automatic retry continue the same iteration', () => {
  test('automatic', async () => {
    const play = await stage.play([loop('loop', 2, simple('t1', {}, { retryCount: 1 }))]);
    await play.end('t1__1');
    await play.fail('t1__2');
    expect(await play.step('t1__2')).toMatchObject({ retryCount: 1, iteration: 2 });
    await play.end('t1__2');
    expect((await play.ended()).run.status).toBe('COMPLETED');
  });

  test('manual', async () => {
    const play = await stage.play([loop('loop', 2, simple('t1'))]);
    await play.end('t1__1');
    await play.fail('t1__2');
    expect((await play.ended()).run.status).toBe('FAILED');
    await stage.site().lineshaft.workflows.retry(play.runId);
    expect(await play.step('loop')).toMatchObject({ status: 'IN_PROGRESS', iteration: 2 });
    await play.end('t1__2');
    const { run, steps } = await play.ended();
    expect(run.status).toBe('COMPLETED');
    expect(steps[0]?.iteration).toBe(2);
  });
});

describe('32. DoWhile: 500 synchronous iterations without stack overflow and with a correct counter', () => {
  test('500', async () => {
    const items = Array.from({ length: 500 }, (_, at) => at);
    const play = await stage.play([
      stepOf(
        'DO_WHILE',
        'loop',
        {},
        { items, loopOver: [stepOf('SET_VARIABLE', 'set', { n: '${loop.output.iteration}' })] },
      ),
    ]);
    const { run, steps } = await play.ended();
    expect(run).toMatchObject({ status: 'COMPLETED', variables: { n: 500 } });
    expect(steps[0]?.output).toMatchObject({ iteration: 500 });
  });

  test('also by a condition', async () => {
    const play = await stage.play([loop('loop', 500, stepOf('NOOP', 'noop'))]);
    const { steps } = await until(
      '500 iterations',
      async () => {
        const view = await play.show();
        return view.run.endedAt === undefined ? undefined : view;
      },
      60_000,
    );
    expect(steps[0]).toMatchObject({ status: 'COMPLETED', iteration: 500, output: { iteration: 500 } });
  }, 90_000);
});

describe('34. Lambda/Terminate: TERMINATE COMPLETED, FAILED, inside a decision branch, with running sub-workflow', () => {
  const lambda = stepOf('LAMBDA', 'lambda', {
    n: 1,
    scriptExpression: 'if ($.n == 1) return {yes: true}; return {};',
  });
  const terminate = (terminationStatus: string) =>
    stepOf('TERMINATE', 'end', { terminationStatus, workflowOutput: '${lambda.output}' });

  test.each(['COMPLETED', 'FAILED'])('%s', async (status) => {
    const play = await stage.play([lambda, terminate(status), simple('never')]);
    const { run, steps } = await play.ended();
    expect(run.status).toBe(status);
    expect(run.output).toMatchObject({ result: { yes: true } });
    expect(run.reason).toBe(`Workflow is ${status} by TERMINATE task: ${steps[1]?.id}`);
    expect(steps).toHaveLength(2);
  });

  test('inside a branch of a decision, while a sub-workflow runs', async () => {
    const name = await stage.register([simple('inner')]);
    const sub = stepOf('SUB_WORKFLOW', 'sub', {}, { subWorkflowParam: { name, version: 1 } });
    const play = await stage.play([
      fork(
        'fork',
        [sub],
        [
          simple('t1'),
          choose('s', 'yes', { yes: [stepOf('TERMINATE', 'end', { terminationStatus: 'COMPLETED' })] }),
        ],
      ),
      join('join', 'sub', 's'),
    ]);
    const { subRunId = '' } = await play.step('sub');
    await play.end('t1');
    expect((await play.ended()).run.status).toBe('COMPLETED');
    expect((await stage.follow(subRunId).ended()).run.status).toBe('TERMINATED');
  });
});

describe('35. SetVariable: values visible in later tasks; payload above the limit → FAILED_WITH_TERMINAL_ERROR', () => {
  test('visible', async () => {
    const play = await stage.play(
      [
        stepOf('SET_VARIABLE', 'set', { color: '${workflow.input.color}' }),
        simple('t1', { inputParameters: { color: '${workflow.variables.color}' } }),
      ],
      { input: { color: 'red' } },
    );
    expect((await play.step('t1')).input).toEqual({ color: 'red' });
  });

  test('too large', async () => {
    const play = await stage.play([stepOf('SET_VARIABLE', 'set', { big: 'x'.repeat(300_000) })]);
    const { run, steps } = await play.ended();
    expect(run).toMatchObject({ status: 'FAILED', variables: {} });
    expect(steps[0]).toMatchObject({
      status: 'FAILED_WITH_TERMINAL_ERROR',
      reason: expect.stringContaining('256 kilobytes'),
    });
  });
});

describe('36. JsonJq: success, nested object, different result kinds, failure, rerun of failed', () => {
  const jq = (queryExpression: string) =>
    stepOf('JSON_JQ_TRANSFORM', 'jq', { in: '${workflow.input}', queryExpression });

  test.each<[string, unknown, unknown[]]>([
    ['.in.a + .in.b', 3, [3]],
    ['{sum: (.in.a + .in.b)}', { sum: 3 }, [{ sum: 3 }]],
    ['.in.list[]', 'x', ['x', 'y']],
    ['empty', null, []],
  ])('%s', async (expression, result, resultList) => {
    const play = await stage.play([jq(expression)], { input: { a: 1, b: 2, list: ['x', 'y'] } });
    const { run, steps } = await play.ended();
    expect(run.status).toBe('COMPLETED');
    expect(steps[0]?.output).toEqual({ result, resultList });
  });

  test('failure, and rerun with another input', async () => {
    const play = await stage.play([jq('.in.a | tonumber')], { input: { a: 'x' } });
    const { run, steps } = await play.ended();
    expect(run.status).toBe('FAILED');
    expect(steps[0]).toMatchObject({ status: 'FAILED', output: { error: expect.any(String) } });
    await stage.site().lineshaft.workflows.rerun(play.runId, { runInput: { a: '7' } });
    const again = await play.ended();
    expect(again.run.status).toBe('COMPLETED');
    expect(again.steps[0]?.output).toMatchObject({ result: 7 });
  });
});

describe('37. Event: event task completes; asyncComplete waits for an external completion. SystemTask: asyncComplete HTTP-like task', () => {
  test('completes', async () => {
    const play = await stage.play([stepOf('EVENT', 'tell', { n: 1 }, { sink: 'conductor' })]);
    const { run, steps } = await play.ended();
    expect(run.status).toBe('COMPLETED');
    expect(steps[0]?.output).toMatchObject({
      n: 1,
      workflowInstanceId: play.runId,
      event_produced: `conductor:${run.definition.name}:tell`,
    });
  });

  test('asyncComplete waits', async () => {
    const play = await stage.play([stepOf('EVENT', 'tell', {}, { sink: 'conductor', asyncComplete: true })]);
    expect((await play.step('tell')).status).toBe('IN_PROGRESS');
    await play.end('tell', { by: 'hand' });
    expect((await play.ended()).run).toMatchObject({ status: 'COMPLETED', output: { by: 'hand' } });
  });
});

describe('38. StartWorkflow: by name, by definition, with version; invalid request fails the task', () => {
  const start = (startWorkflow: unknown) =>
    stage.play([stepOf('START_WORKFLOW', 'start', { startWorkflow })]);

  test('by name, with version', async () => {
    const name = await stage.register([simple('inner')]);
    const play = await start({ name, version: 1, input: { a: 1 }, correlationId: 'mine' });
    const { run } = await play.ended();
    expect(run.status).toBe('COMPLETED');
    const other = await stage.follow(String(run.output['workflowId'])).show();
    expect(other.run).toMatchObject({
      status: 'RUNNING',
      input: { a: 1 },
      correlationId: 'mine',
      parent: undefined,
    });
  });

  test('by definition', async () => {
    const play = await start({
      workflowDef: { name: 'inline_of_38', version: 1, tasks: [stepOf('NOOP', 'noop')] },
    });
    const { run } = await play.ended();
    const other = await stage.follow(String(run.output['workflowId'])).ended();
    expect(other.run).toMatchObject({ status: 'COMPLETED', definition: { name: 'inline_of_38' } });
  });

  test.each<[string, unknown]>([
    ['no request', null],
    ['no name', { version: 1 }],
    ['a workflow that is not there', { name: 'nobody_registered_this' }],
  ])('%s fails the step', async (_case, request) => {
    const play = await start(request);
    const { run, steps } = await play.ended();
    expect([run.status, steps[0]?.status]).toEqual(['FAILED', 'FAILED']);
    expect(steps[0]?.reason).toBeTruthy();
  });
});
