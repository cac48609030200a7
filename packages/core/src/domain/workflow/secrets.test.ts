import { expect, test } from 'vitest';
import type { JsonObject, StepDefinition } from './definition.ts';
import { withoutSecrets, withSecrets } from './secrets.ts';

const values = { TOKEN: 't0k', LOGIN: '{"user":"ada","roles":["a","b"],"n":3}', EMPTY: '' };
const step = (inputParameters: JsonObject, inputTemplate?: JsonObject): StepDefinition => ({
  name: 'call',
  taskReferenceName: 'call',
  inputParameters,
  ...(inputTemplate === undefined ? {} : { taskDefinition: { name: 'call', inputTemplate } }),
});
/** What a worker gets of an input that is as the definition has it. */
const handed = (parameters: JsonObject) => withSecrets(parameters, step(parameters), values);

test('a secret is put in where the definition of the step asks for it', () => {
  const parameters = {
    token: '${workflow.secrets.TOKEN}',
    deep: [{ header: 'Bearer ${workflow.secrets.TOKEN}!' }],
    roles: '${workflow.secrets.LOGIN.roles}',
    first: '${workflow.secrets.LOGIN.roles[0]} and ${workflow.secrets.LOGIN.n}',
  };
  expect(handed(parameters)).toEqual({
    token: 't0k',
    deep: [{ header: 'Bearer t0k!' }],
    roles: ['a', 'b'],
    first: 'a and 3',
  });
  // What is kept is as it was.
  expect(parameters.token).toBe('${workflow.secrets.TOKEN}');
  expect(
    withSecrets({ a: '${workflow.secrets.TOKEN}' }, step({}, { a: '${workflow.secrets.TOKEN}' }), values),
  ).toEqual({
    a: 't0k',
  });
});

test('what is not allowed, not there, or written as a text stays as it is', () => {
  const parameters = {
    other: '${workflow.secrets.HOME}',
    inherited: '${workflow.secrets.constructor}',
    none: '${workflow.secrets.LOGIN.none}',
    broken: '${workflow.secrets.TOKEN.user}',
    text: '$${workflow.secrets.TOKEN}',
  };
  expect(handed(parameters)).toEqual(parameters);
});

test('data never asks for a secret', () => {
  const definition = step({
    said: 'He says ${workflow.input.said}',
    token: '${workflow.secrets.LOGIN.user}',
  });
  const input = { said: 'He says ${workflow.secrets.TOKEN}', token: '${workflow.secrets.LOGIN.user}' };
  expect(withSecrets(input, definition, values)).toEqual({ said: input.said, token: 'ada' });
  const nothing = step({ said: '${workflow.input.said}' });
  expect(withSecrets(input, nothing, values)).toBe(input);
});

test('values of secrets are taken out of texts', () => {
  expect(withoutSecrets('401: t0k is not t0k', values)).toBe('401: *** is not ***');
  expect(withoutSecrets('fine', {})).toBe('fine');
});
