import { expect, test } from 'vitest';
import { SimulatedRun } from '../../../testing/simulated-run.ts';
import type { JsonObject } from '../definition.ts';

const step = (type: string, inputParameters: JsonObject = {}, more: object = {}) => [
  { name: 'x', taskReferenceName: 'x', type, inputParameters, ...more },
];

test.each<[string, JsonObject, string, boolean]>([
  ['INLINE', { evaluatorType: 'javascript', expression: '$.n + 1', n: 1 }, 'javascript', false],
  ['INLINE', { evaluatorType: 'graaljs', expression: '$.n + 1', n: 1 }, 'javascript', false],
  ['INLINE', { expression: '$.n + 1', n: 1 }, 'javascript', false],
  ['LAMBDA', { scriptExpression: 'return $.n + 1', n: 1 }, 'javascript', true],
  ['JSON_JQ_TRANSFORM', { queryExpression: '.n + 1', n: 1 }, 'jq', false],
])('%s with %j asks for a result', (type, input, language, body) => {
  const run = new SimulatedRun(step(type, input));
  const expression = input['expression'] ?? input['scriptExpression'] ?? input['queryExpression'];
  expect([...run.evaluations.values()]).toMatchObject([{ language, body, expression, input: { n: 1 } }]);
  run.evaluate('x', 2);
  const output = type === 'JSON_JQ_TRANSFORM' ? { result: 2, resultList: [2] } : { result: 2 };
  expect(run.run).toMatchObject({ status: 'COMPLETED', output });
});

test('jq has all results, and the first of them', () => {
  const run = new SimulatedRun(step('JSON_JQ_TRANSFORM', { queryExpression: '.[]' }));
  const result = { ok: true as const, value: 1, values: [1, 2] };
  run.tell({ type: 'evaluated', stepId: run.step('x').id, round: 0, result });
  expect(run.run.output).toEqual({ result: 1, resultList: [1, 2] });
});

test.each<[string, JsonObject, string]>([
  ['INLINE', { expression: 'x' }, 'FAILED_WITH_TERMINAL_ERROR'],
  ['LAMBDA', { scriptExpression: 'x' }, 'FAILED'],
  ['JSON_JQ_TRANSFORM', { queryExpression: 'x' }, 'FAILED'],
])('%s whose script fails is %3$s, and says why', (type, input, status) => {
  const run = new SimulatedRun(step(type, input));
  const result = { ok: false as const, message: 'boom', terminal: false };
  run.tell({ type: 'evaluated', stepId: run.step('x').id, round: 0, result });
  expect(run.step('x')).toMatchObject({ status, reason: 'boom', output: { error: 'boom' } });
  expect(run.run.status).toBe('FAILED');
});

test.each<[string, JsonObject, string]>([
  ['INLINE', {}, 'Empty expression in INLINE task. '],
  ['INLINE', { evaluatorType: '', expression: '1' }, 'Empty evaluatorType in INLINE task. '],
  ['INLINE', { evaluatorType: 'cobol', expression: '1' }, "Unknown evaluator 'cobol' in INLINE task."],
  ['LAMBDA', {}, 'Empty scriptExpression in Lambda task. '],
  ['JSON_JQ_TRANSFORM', {}, "Missing 'queryExpression' in input parameters"],
])('%s with %j fails: %s', (type, input, reason) => {
  expect(new SimulatedRun(step(type, input)).step('x').reason).toBe(reason);
});

test('value-param needs no script', () => {
  const run = new SimulatedRun(
    step('INLINE', { evaluatorType: 'value-param', expression: 'n', n: { a: 1 } }),
  );
  expect(run.run.output).toEqual({ result: { a: 1 } });
});

test('what was asked of somebody who died is asked again, and two results are one', () => {
  const run = new SimulatedRun([
    ...step('INLINE', { expression: '1' }),
    { name: 'w', taskReferenceName: 'w', type: 'SIMPLE' },
  ]);
  run.crash();
  expect(run.wait(15_000).evaluations).toHaveLength(1);
  run.evaluate('x', 1);
  run.evaluate('x', 2);
  expect(run.step('x').output).toEqual({ result: 1 });
});

test.each<[string, object]>([
  ['SWITCH', { evaluatorType: 'javascript', expression: '$.n' }],
  ['SWITCH', { evaluatorType: 'graaljs', expression: '$.n' }],
  ['DECISION', { caseExpression: '$.n' }],
])('a %s with %j goes where its script says', (type, more) => {
  const cases = { decisionCases: { 2: [{ name: 'a', taskReferenceName: 'a', type: 'SIMPLE' }], 3: [] } };
  const defaultCase = [{ name: 'd', taskReferenceName: 'd', type: 'SIMPLE' }];
  const at = (value: unknown) => {
    const run = new SimulatedRun(step(type, { n: 1 }, { ...more, ...cases, defaultCase }));
    run.evaluate('x', value);
    return run.steps.slice(1).map((one) => one.ref);
  };
  expect(at(2)).toEqual(['a']);
  expect(at('2')).toEqual(['a']);
  expect(at(null)).toEqual(['d']);
  // A case without steps: SWITCH does nothing, DECISION what its default says.
  expect(at(3)).toEqual(type === 'SWITCH' ? [] : ['d']);
});

test('the input of a DECISION tells the case alone, and its script sees the parameters', () => {
  const cases = { decisionCases: { 2: [{ name: 'a', taskReferenceName: 'a', type: 'SIMPLE' }] } };
  const run = new SimulatedRun(step('DECISION', { n: 1 }, { caseExpression: '$.n', ...cases }));
  expect([...run.evaluations.values()]).toMatchObject([{ input: { n: 1 } }]);
  run.crash();
  expect(run.wait(15_000).evaluations).toMatchObject([{ input: { n: 1 } }]);
  run.evaluate('x', 2);
  expect(run.step('x').input).toEqual({ case: '2', hasChildren: 'true' });
});

test('a SWITCH that can not be evaluated fails the run', () => {
  expect(new SimulatedRun(step('SWITCH', {}, { evaluatorType: 'cobol' })).run.reason).toBe(
    'No evaluator registered for type: cobol',
  );
  const run = new SimulatedRun(step('SWITCH', {}, { evaluatorType: 'javascript', expression: 'x' }));
  const result = { ok: false as const, message: 'boom', terminal: true };
  run.tell({ type: 'evaluated', stepId: run.step('x').id, round: 0, result });
  expect(run.step('x')).toMatchObject({ status: 'FAILED', reason: 'boom' });
});
