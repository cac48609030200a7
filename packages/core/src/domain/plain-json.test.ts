import fc from 'fast-check';
import { expect, test } from 'vitest';
import { copyPlain } from './plain-json.ts';

const asText = (value: unknown): unknown => JSON.parse(JSON.stringify(value) ?? 'null');

test('a copy is what reading the text of a value gives, and no longer than it says', () => {
  const odd = fc.constantFrom(undefined, Number.NaN, Number.POSITIVE_INFINITY, -0, '\ud800', '"\\\u0007');
  const { value: anything } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      odd,
      fc.jsonValue(),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.nat(60).map((length): unknown => new Array(length)),
      fc.dictionary(
        fc.string({ maxLength: 4 }).filter((name) => name !== '__proto__' && !name.includes('\\')),
        tie('value'),
        {
          maxKeys: 4,
          noNullPrototype: false,
        },
      ),
    ),
  }));
  fc.assert(
    fc.property(
      anything.filter((value) => !JSON.stringify(value)?.includes('\\u0000')),
      (value) => {
        const copied = copyPlain(value);
        fc.pre(copied !== undefined);
        expect(copied?.value).toStrictEqual(asText(value));
        expect(copied?.lengthMost).toBeGreaterThanOrEqual(JSON.stringify(copied?.value)?.length ?? 0);
      },
    ),
  );
});

test('what is copied shares nothing that could be changed', () => {
  const given = { list: [{ n: 1 }], text: 'a' };
  const copy = copyPlain(given)?.value as typeof given;
  copy.list[0] = { n: 2 };
  copy.list.push({ n: 3 });
  expect(given).toEqual({ list: [{ n: 1 }], text: 'a' });
});

class Money {
  readonly cents = 1;
}

test.each<[string, unknown]>([
  ['a value that says what it is as JSON', { at: new Date(0) }],
  ['a list that does', Object.assign([1], { toJSON: () => 2 })],
  ['an object of a class', { money: new Money() }],
  ['a text in an object', { text: Object('a') as unknown }],
  ['nothing', undefined],
  ['a function', () => 1],
  ['a symbol', Symbol('a')],
  ['a name with NUL', { 'a\0b': 1 }],
  [
    'what throws when it is read',
    {
      get broken(): never {
        throw new Error('broken');
      },
    },
  ],
  ['an integer that JSON does not have', [1n]],
  ['NUL, which is refused by its text', { text: 'a\0b' }],
  ['a name that is none', JSON.parse('{"__proto__":{"a":1}}')],
  ['what is deep', JSON.parse(`${'['.repeat(40)}${']'.repeat(40)}`)],
  ['what is large', Array.from({ length: 3_000 }, (_, n) => n)],
  ['what is large in parts', Array.from({ length: 60 }, () => Array.from({ length: 60 }, () => 0))],
  ['what has itself in it', ((own: { own?: unknown }) => Object.assign(own, { own }))({})],
])('%s is left to its text', (_, value) => {
  expect(copyPlain(value)).toBeUndefined();
});
