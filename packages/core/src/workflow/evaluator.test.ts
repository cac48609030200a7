import { afterAll, describe, expect, test } from 'vitest';
import type { Evaluated } from '../domain/workflow/decision.ts';
import { Evaluator } from './evaluator.ts';
import type { Task } from './evaluator-protocol.ts';
import { EvaluatorThread } from './evaluator-worker.ts';

const evaluator = new Evaluator({ threads: 2, timeoutMs: 1_000 });
afterAll(() => evaluator.close());

async function javascript(
  expression: string,
  input: unknown = {},
  body = false,
): Promise<Evaluated | undefined> {
  const [answer] = await evaluator.evaluate([{ language: 'javascript', expression, body, input }]);
  return answer;
}

async function jq(expression: string, input: unknown = {}): Promise<Evaluated | undefined> {
  const [answer] = await evaluator.evaluate([{ language: 'jq', expression, body: false, input }]);
  return answer;
}

const input = { n: 4, name: 'ann', list: [1, 2], deep: { x: null } };

describe('JavaScript', () => {
  test.each<[string, unknown]>([
    ['$.n > 3', true],
    ['$.n', 4],
    ["$.name + '!'", 'ann!'],
    ["if ($.n > 3) { 'big' } else { 'small' }", 'big'],
    ['function e() { return { sum: $.list[0] + $.list[1] }; } e();', { sum: 3 }],
    ['(function(){ return $.deep.x; })()', null],
    ['undefined', null],
    ['$.nothing', null],
    ['$', input],
    ['[undefined, () => 1, 2]', [null, null, 2]],
    ['0 / 0', 'NaN'],
    ['({ big: 12345678901234567890n, inf: 1 / 0 })', { big: '12345678901234567890', inf: 'Infinity' }],
    ['new Date(0)', '1970-01-01T00:00:00.000Z'],
    ["console.log('x'); print('y'); 7", 7],
    ['$.n = 5; $.n', 5],
    ['1 // comment', 1],
    ["'ü😀'.length", 3],
  ])('%s', async (expression, value) => {
    expect(await javascript(expression, input)).toEqual({ ok: true, value, values: [value] });
  });

  test('the body of a function returns', async () => {
    const body = 'if ($.n > 3) { return { testvalue: true } } else { return { testvalue: false } } // end';
    expect(await javascript(body, input, true)).toMatchObject({ ok: true, value: { testvalue: true } });
  });

  test.each<[string, RegExp]>([
    ['missing + 1', /ReferenceError: .*missing/],
    ['$.a.b.c', /^Error evaluating the script `TypeError: Cannot read property '.' of undefined` at line 1$/],
    ['1;\nmissing', /`ReferenceError: missing is not defined` at line 2$/],
    ['let x = ;', /SyntaxError/],
    ["throw new Error('boo')", /^Error evaluating the script `Error: boo`$/],
    ["throw { message: 'thing' }", /`Error: thing` at line 1$/],
    ["throw 'text'", /^Error evaluating the script `text` at line 1$/],
    ['throw { get message() { throw 1 } }', /failed/],
    ['let a = []; a.push(a); a', /circular/i],
    // Nothing of this process is there.
    ['process.exit(1)', /ReferenceError/],
    ["require('fs')", /ReferenceError/],
    ["Object.constructor.constructor('return process')()", /ReferenceError/],
    ["this.constructor.constructor('return globalThis.process.env')()", /TypeError/],
    ["fetch('http://localhost')", /ReferenceError/],
    ["import('fs').x.y", /TypeError/],
    // Too much.
    ['while (true);', /longer than 1000 ms/],
    ["/(a+)+b/.test('a'.repeat(40))", /longer than 1000 ms/],
    ['(function f() { f() })()', /stack/],
    ["let s = 'x'; for (;;) s += s", /memory|string|length/i],
    ['new ArrayBuffer(2 ** 30)', /memory|size|length/i],
    ['for (const a = [];;) a.push(new Array(100000).fill(1))', /memory|longer than/],
    ["'x'.repeat(11000000)", /longer than 10485760 characters/],
    ['throw { toString() { for (;;); }, get message() { for (;;); } }', /longer than 1000 ms/],
    ['({ toJSON() { for (;;); } })', /longer than 1000 ms/],
  ])('%s fails', async (expression, message) => {
    const answer = await javascript(expression);
    expect(answer).toMatchObject({ ok: false, terminal: true });
    expect((answer as { message: string }).message).toMatch(message);
    expect(await javascript('1 + 1')).toMatchObject({ ok: true, value: 2 });
  });

  test('what a script does to its world is not there in the next', async () => {
    await javascript(
      'globalThis.left = 1; Object.prototype.polluted = 1; JSON.stringify = () => "{}"; Array.prototype.map = 0',
    );
    expect(await javascript('[typeof left, ({}).polluted, [1].map((n) => n + 1), { a: 1 }]')).toMatchObject({
      value: ['undefined', null, [2], { a: 1 }],
    });
  });

  test('a script that breaks its interpreter fails alone', async () => {
    const answers = await Promise.all([
      javascript('let x = []; for (let i = 0; i < 200000; i++) x = [x]; 1'),
      ...Array.from({ length: 20 }, (_, n) => javascript(`${n}`)),
    ]);
    expect(answers.slice(1).map((answer) => (answer as { value?: unknown }).value)).toEqual(
      Array.from({ length: 20 }, (_, n) => n),
    );
  });
});

describe('a thread', () => {
  test('gives back what it had not begun when the rest of its batch was taken from it', async () => {
    const told: number[] = [];
    const idle = Promise.withResolvers<readonly Task[]>();
    const settings = { timeoutMs: 1_000, memoryBytes: 67_108_864, resultMaxLength: 1_024 };
    const thread = new EvaluatorThread(settings, {
      onOutcomes: (outcomes) => told.push(...outcomes.map(({ id }) => id)),
      onIdle: (left) => idle.resolve(left),
      onEnd: (_left, _failed, reason) => idle.reject(new Error(reason)),
    });
    const tasks = [1, 2, 3].map(
      (id): Task => ({ id, language: 'javascript', expression: '1', body: false, input: '1' }),
    );
    thread.send(tasks);
    // Before it can have begun.
    const back = thread.takeBack();
    const left = await idle.promise;
    expect([...told, ...[...left, ...back].map(({ id }) => id)].sort()).toEqual([1, 2, 3]);
    await thread.end();
  });
});

describe('jq', () => {
  test.each<[string, unknown[]]>([
    ['.n', [4]],
    ['.list[]', [1, 2]],
    ['.list', [[1, 2]]],
    ['-.n', [-4]],
    ['{ name, sum: (.list | add) }', [{ name: 'ann', sum: 3 }]],
    ['empty', []],
    ['"a\\nb"', ['a\nb']],
    ['.missing?', [null]],
    ['env | keys | length > 0, (env._ // "none")', [true, 'jq']],
  ])('%s', async (program, values) => {
    expect(await jq(program, input)).toEqual({ ok: true, value: values[0] ?? null, values });
  });

  test.each<[string, RegExp]>([
    ['.n | error("boo")', /^boo/],
    ['.n.x', /Cannot index number/],
    ['.[', /syntax error/],
    ['[range(1e9)] | length', /memory|longer than/],
    ['def f: f; f', /longer than|memory/],
    ['reduce range(1000000) as $i (null; [.]) | tostring | length', /memory|longer than|error/],
  ])('%s fails', async (program, message) => {
    const answer = await jq(program, input);
    expect(answer).toMatchObject({ ok: false, terminal: true });
    expect((answer as { message: string }).message).toMatch(message);
    expect(await jq('.n', input)).toMatchObject({ ok: true, value: 4 });
  });
});

test('hostile scripts do not hold up what comes with them, and each gets its own answer', async () => {
  const own = new Evaluator({ threads: 2, timeoutMs: 60_000 });
  const hostile = { language: 'javascript' as const, expression: 'for (;;);', body: false, input: {} };
  let ended = false;
  const slow = own.evaluate([hostile]).then((answer) => {
    ended = true;
    return answer;
  });
  const answers = await own.evaluate(
    Array.from({ length: 200 }, (_, n) => ({ ...hostile, expression: '$.n * 2', input: { n } })),
  );
  expect(ended).toBe(false);
  expect(answers.map((answer) => (answer.ok ? answer.value : answer.message))).toEqual(
    Array.from({ length: 200 }, (_, n) => n * 2),
  );
  await own.close();
  expect(await slow).toMatchObject([{ ok: false }]);
});

test('more than may wait is refused, and so is what comes after the close', async () => {
  const own = new Evaluator({ threads: 1, queueMax: 3 });
  const one = { language: 'javascript' as const, expression: '1', body: false, input: {} };
  const answers = await own.evaluate([one, one, one, one]);
  expect(answers.map((answer) => answer.ok)).toEqual([true, true, true, false]);
  expect(answers[3]).toMatchObject({ terminal: false });
  const waiting = own.evaluate([{ ...one, expression: 'for (;;);' }]);
  await own.close();
  await own.close();
  expect(await waiting).toMatchObject([{ ok: false, terminal: false }]);
  expect(await own.evaluate([one])).toMatchObject([{ ok: false, terminal: false }]);
});

test('options out of range are refused', () => {
  expect(() => new Evaluator({ threads: 0 })).toThrow(/threads must be/);
  expect(() => new Evaluator({ timeoutMs: 1 })).toThrow(/timeoutMs must be/);
});
