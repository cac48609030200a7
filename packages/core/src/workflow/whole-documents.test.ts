import { expect, test } from 'vitest';
import type { JsonObject } from '../domain/workflow/definition.ts';
import type { Run, Step } from '../domain/workflow/run.ts';
import type { WrittenStep } from './port.ts';
import { wholeDocuments, wholeValues } from './whole-documents.ts';

const run = { input: { order: { lines: [1, 2] }, ['__proto__']: 'own' } } as unknown as Run;

/** Inputs and outputs of steps as they are written. */
const written: readonly (readonly [input: string, output: string])[] = [
  ['{"n":1}', '{"text":"long","n":2}'],
  [
    '[{"first":null,"n":3,"second":null},{"first":[0,"order"],"second":[1,"text"]}]',
    '[{"own":"mine","text":null},{"text":[1,"text"]}]',
  ],
  ['[{"a":null,"b":null},{"a":[2,"own"],"b":[0,"order"]}]', '{"list":[{"n":1}]}'],
  // Of what is not there (any more), and by a name that objects have from elsewhere.
  [
    '[{"a":null,"b":null},{"a":[9,"x"],"b":[1,"toString"]}]',
    '[{"__proto__":null},{"__proto__":[0,"__proto__"]}]',
  ],
];

const expected: readonly (readonly [input: string, output: string])[] = [
  ['{"n":1}', '{"text":"long","n":2}'],
  ['{"first":{"lines":[1,2]},"n":3,"second":"long"}', '{"own":"mine","text":"long"}'],
  ['{"a":"mine","b":{"lines":[1,2]}}', '{"list":[{"n":1}]}'],
  ['{"a":null,"b":null}', '{"__proto__":"own"}'],
];

test('documents are put together alike as texts and as values', () => {
  const own = JSON.parse('{"input":{"order":{"lines":[1,2]},"__proto__":"own"}}') as Run;
  const texts = written.map(
    ([inputText, outputText], n) => ({ seq: n + 1, inputText, outputText }) as WrittenStep,
  );
  const values = written.map(
    ([input, output], n) =>
      ({
        seq: n + 1,
        input: JSON.parse(input) as JsonObject,
        output: JSON.parse(output) as JsonObject,
      }) as Step,
  );
  expect(wholeDocuments(own, texts).map(({ inputText, outputText }) => [inputText, outputText])).toEqual(
    expected,
  );
  const whole = wholeValues(own, values);
  expect(whole.map(({ input, output }) => [JSON.stringify(input), JSON.stringify(output)])).toEqual(expected);
});

test('what several documents have is one value', () => {
  const [, second, third] = wholeValues(
    run,
    written.map(
      ([input, output], n) =>
        ({
          seq: n + 1,
          input: JSON.parse(input) as JsonObject,
          output: JSON.parse(output) as JsonObject,
        }) as Step,
    ),
  );
  expect(second?.input['first']).toBe(run.input['order']);
  expect(third?.input['b']).toBe(run.input['order']);
});

test('steps without such documents are given back as they are', () => {
  const steps = [{ seq: 1, input: { n: 1 }, output: { list: [{ n: 1 }] } } as unknown as Step];
  expect(wholeValues(run, steps)).toBe(steps);
});
