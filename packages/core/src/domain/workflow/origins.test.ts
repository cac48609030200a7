import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { JsonObject } from './definition.ts';
import { Origins, ownPart, wholeDocument } from './origins.ts';

const long = (letter: string): string => letter.repeat(200);

/** Documents as they are written, one after the other: the input of the run, then the outputs of steps. */
function writing(input: JsonObject) {
  const origins = new Origins();
  const documents = new Map<number, JsonObject>([[0, input]]);
  if (origins.lacks(input)) origins.add(0, input, JSON.stringify(input));
  return {
    origins,
    write(document: JsonObject, seq?: number): string {
      const text = origins.textOf(document, seq) ?? JSON.stringify(document);
      if (seq !== undefined) {
        documents.set(seq, ownPart(text));
        origins.add(seq, document, text);
      }
      return text;
    },
    read: (text: string): unknown =>
      JSON.parse(
        wholeDocument(text, (seq, name) => {
          const document = documents.get(seq);
          if (document === undefined || !Object.hasOwn(document, name)) throw new Error(`${seq} ${name}`);
          return JSON.stringify(document[name]);
        }),
      ),
  };
}

test('what comes from the input of the run or the output of a step says so', () => {
  const order = { lines: [long('a')] };
  const { write, read } = writing({ order, note: long('n') });
  const first = write({ id: 1, 'or"der': order, note: long('n') });
  expect(first).toBe('[{"id":1,"or\\"der":null,"note":null},{"or\\"der":[0,"order"],"note":[0,"note"]}]');
  expect(read(first)).toEqual({ id: 1, 'or"der': order, note: long('n') });
  const made = { made: long('m'), note: long('n') };
  expect(write(made, 1)).toBe(`[{"made":"${long('m')}","note":null},{"note":[0,"note"]}]`);
  expect(write({ of: long('m'), note: long('n') }, 2)).toBe(
    '[{"of":null,"note":null},{"of":[1,"made"],"note":[0,"note"]}]',
  );
  // Never where it is not itself.
  expect(write({ text: long('m') })).toBe('[{"text":null},{"text":[1,"made"]}]');
});

test.each<[string, JsonObject]>([
  ['short', { text: 'a'.repeat(50) }],
  ['a small object', { small: { a: 1, b: [true] } }],
  ['with NUL somewhere, which PostgreSQL cannot take apart', { text: long('a'), odd: '\0' }],
  ['with half of a surrogate pair', { text: long('a'), odd: '\ud800' }],
])('what is %s is repeated', (_, input) => {
  const { write } = writing(input);
  expect(write({ ...input })).toBe(JSON.stringify(input));
});

test('a document with what PostgreSQL cannot take apart is whole', () => {
  const { write } = writing({ text: long('a') });
  expect(write({ text: long('a'), odd: '\0' })).toBe(`{"text":"${long('a')}","odd":"\\u0000"}`);
});

test('the output of a step that is written again does not point to itself', () => {
  const { write } = writing({});
  const output = { text: long('a') };
  const text = write(output, 3);
  expect([text, write(output, 3)]).toEqual([JSON.stringify(output), JSON.stringify(output)]);
});

test('no value points into a document that is many times as long', () => {
  const { write } = writing({ list: 'l'.repeat(10_000), token: 't'.repeat(500), part: 'p'.repeat(800) });
  expect(write({ token: 't'.repeat(500), part: 'p'.repeat(800) })).toBe(
    `[{"token":"${'t'.repeat(500)}","part":null},{"part":[0,"part"]}]`,
  );
});

test('what JSON leaves out is left out', () => {
  const { write } = writing({ text: long('a') });
  expect(write({ none: undefined, does: () => 1, text: long('a') })).toBe(
    '[{"text":null},{"text":[0,"text"]}]',
  );
});

test('what was known is forgotten when it may not be so any more', () => {
  const { origins, write } = writing({ text: long('a') });
  origins.clear();
  expect(write({ text: long('a') })).toBe(JSON.stringify({ text: long('a') }));
  expect(origins.lacks({ text: long('a') })).toBe(true);
});

test('so much is looked up for one document, and known of one run', () => {
  const names = Array.from({ length: 60 }, (_, n) => `n${n}`);
  const input = Object.fromEntries(names.map((name) => [name, long(name)]));
  const { write, read } = writing(input);
  expect(write({ ...input })).toBe(JSON.stringify(input));
  const fewer = Object.fromEntries(Object.entries(input).slice(0, 50));
  expect(read(write(fewer))).toEqual(fewer);
  const many = writing({});
  for (let seq = 1; seq <= 1_100; seq += 1) many.write({ text: long(`s${seq} `) }, seq);
  expect(many.write({ text: long('s1000 ') }).startsWith('[')).toBe(true);
  expect(many.write({ text: long('s1001 ') }).startsWith('[')).toBe(false);
});

test('every document is read as it was', () => {
  // No lone backslash: JSON.parse of V8 (Node 24.21) takes a name `\"` for it where it has seen it in the same place.
  const names = fc.constantFrom('a', 'b', '"', 'é', 'toString', 'constructor');
  const value = fc.oneof(
    fc.constantFrom(long('x'), long('y'), long('é"\\'), long('😀'), 'z', null, `${long('u')}\ud800`, {
      of: [long('x')],
    }),
    fc.jsonValue(),
  );
  const document = fc.dictionary(names, value, { maxKeys: 4, noNullPrototype: true });
  fc.assert(
    fc.property(document, fc.array(fc.tuple(document, fc.boolean()), { maxLength: 12 }), (input, rest) => {
      const { write, read } = writing(input);
      rest.forEach(([each, isOutput], n) => {
        expect(read(write(each, isOutput ? n + 1 : undefined))).toEqual(asJson(each));
      });
    }),
  );
});

function asJson(document: JsonObject): unknown {
  return JSON.parse(JSON.stringify(document));
}
