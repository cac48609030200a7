import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isLineshaftError, type LineshaftError } from './errors.ts';
import { jsonText, payloadToText, utf8Bytes } from './payload-text.ts';

const mebibyte = 1_048_576;

/** The error that a payload is refused with. */
function refusal(payload: unknown, maxBytes = mebibyte): LineshaftError {
  try {
    payloadToText(payload, maxBytes);
  } catch (error) {
    if (isLineshaftError(error)) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

const cyclic: Record<string, unknown> = { name: 'a' };
cyclic.self = { again: cyclic };
const deep = (levels: number): unknown => JSON.parse(`${'['.repeat(levels)}1${']'.repeat(levels)}`);

test.each<[string, unknown, string]>([
  ['absent', undefined, '{}'],
  ['null', null, 'null'],
  ['a text', 'a', '"a"'],
  ['an empty array', [], '[]'],
  ['a field that is undefined', { a: 1, b: undefined }, '{"a":1}'],
  ['a date', { at: new Date(0) }, '{"at":"1970-01-01T00:00:00.000Z"}'],
  [
    'a class',
    new (class Point {
      x = 1;
    })(),
    '{"x":1}',
  ],
  ['an object of its own JSON', { toJSON: () => ({ a: 1 }) }, '{"a":1}'],
  ['an object without prototype', Object.assign(Object.create(null), { a: 1 }), '{"a":1}'],
  ['a written escape that is no NUL', { a: '\\u0000' }, '{"a":"\\\\u0000"}'],
  ['a written surrogate that is none', { a: '\\ud800' }, '{"a":"\\\\ud800"}'],
  ['an emoji', { a: '👍' }, '{"a":"👍"}'],
  ['a control character', { a: '\u0001' }, '{"a":"\\u0001"}'],
  ['500 levels', deep(500), `${'['.repeat(500)}1${']'.repeat(500)}`],
])('%s is sent as JSON', (_name, payload, text) => {
  expect(payloadToText(payload, mebibyte)).toBe(text);
});

test.each<[string, unknown, string, string]>([
  ['a function', { a: { run: () => 1 } }, 'payload.a.run', 'is a function'],
  ['a function alone', () => 1, 'payload', 'is a function'],
  ['a symbol', { a: [Symbol('x')] }, 'payload.a[0]', 'is a symbol'],
  ['a BigInt', { list: [1, { id: 5n }] }, 'payload.list[1].id', 'is a BigInt'],
  ['NaN', { n: Number.NaN }, 'payload.n', 'is NaN'],
  ['infinity', [Number.NEGATIVE_INFINITY], 'payload[0]', 'is -Infinity'],
  ['undefined in an array', { a: [1, undefined] }, 'payload.a[1]', 'is undefined'],
  ['a hole in an array', { a: new Array(1) }, 'payload.a[0]', 'is undefined'],
  ['an invalid date', { at: new Date('x') }, 'payload.at', 'is an invalid date'],
  ['a Map', { m: new Map([[1, 2]]) }, 'payload.m', 'is an object of class Map'],
  ['an error', { cause: new TypeError('x') }, 'payload.cause', 'is an object of class Error'],
  ['a promise', { user: Promise.resolve(1) }, 'payload.user', 'is an object of class Promise'],
  ['bytes', { body: new Uint8Array(3) }, 'payload.body', 'is an object of class Uint8Array'],
  ['a NUL', { a: { 'b c': 'x\u0000' } }, 'payload.a["b c"]', 'has a NUL character'],
  ['a NUL after backslashes', { a: '\\\\\u0000' }, 'payload.a', 'has a NUL character'],
  ['a NUL in a name', { 'a\u0000': 1 }, 'payload["a\\u0000"]', 'has a NUL character'],
  ['a high surrogate', { a: '\ud83d' }, 'payload.a', 'has half of a surrogate pair'],
  ['a low surrogate', ['\udc4d'], 'payload[0]', 'has half of a surrogate pair'],
  ['a NUL from toJSON', { toJSON: () => ['\u0000'] }, 'payload[0]', 'has a NUL character'],
  ['a toJSON that gives nothing', { toJSON: () => undefined }, 'payload', 'gives nothing'],
  [
    'a getter that throws',
    {
      get a() {
        throw new Error('no\nsecond line');
      },
    },
    'payload',
    'cannot be read: no',
  ],
  ['501 levels', deep(501), 'payload[0][0]', 'is more than 500 levels deep'],
  ['a cycle', cyclic, 'payload.self.again.self.again', 'or contains itself'],
  ['100,000 levels', deep(100_000), 'payload[0][0]', 'is more than 500 levels deep'],
])('%s is refused with its place', (_name, payload, path, reason) => {
  const error = refusal(payload);
  expect(error.code).toBe('PAYLOAD_INVALID');
  expect(String(error.details.path)).toContain(path);
  expect(error.message).toContain(reason);
  expect(error.message.length).toBeLessThan(300);
});

test('a payload that is too large is refused with its bytes and the limit', () => {
  expect(payloadToText('ä'.repeat(49), 100)).toHaveLength(51);
  const error = refusal('ä'.repeat(50), 100);
  expect(error.code).toBe('PAYLOAD_TOO_LARGE');
  expect(error.message).toContain('payload has 102 bytes; at most 100 are allowed');
  expect(error.details).toEqual({ field: 'payload', bytes: 102, maxBytes: 100 });
});

test('no error tells the payload', () => {
  for (const payload of [{ secret: 'hunter2', f: () => 1 }, { secret: 'hunter2\u0000' }]) {
    expect(JSON.stringify([refusal(payload).message, refusal(payload).details])).not.toContain('hunter2');
  }
  expect(refusal('hunter2'.repeat(99), 100).message).not.toContain('hunter2');
});

test('outputs can be checked by the same rules under a code of their own', () => {
  expect(() => jsonText({ f: () => 1 }, 'output', 'OUTPUT_INVALID')).toThrow(
    'output is not plain JSON: output.f',
  );
});

test('what is accepted arrives as it was sent', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      // JSON does not keep minus zero, and NUL characters are refused.
      const sent: unknown = JSON.parse(JSON.stringify(value).replaceAll('\\u0000', '0'));
      expect(JSON.parse(payloadToText(sent, mebibyte))).toEqual(sent);
    }),
  );
});

test('a text is refused exactly when it has a NUL or is not well-formed', () => {
  const unit = fc.constantFrom('\\', 'u', '0', '0000', '\u0000', '\ud800', '\udc00', '👍', 'd800', '"', 'a');
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 8 }), (text) => {
      const storable = !text.includes('\u0000') && text.isWellFormed();
      let accepted = true;
      try {
        payloadToText({ text }, mebibyte);
      } catch {
        accepted = false;
      }
      expect(accepted).toBe(storable);
    }),
    { numRuns: 2_000 },
  );
});

test('bytes are counted as UTF-8 has them', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(utf8Bytes(text)).toBe(new TextEncoder().encode(text).length);
    }),
  );
});

test('whatever is sent is text or an error of the catalogue', () => {
  fc.assert(
    fc.property(
      fc.anything({ withBigInt: true, withDate: true, withMap: true, withSparseArray: true }),
      (value) => {
        let text = '{}';
        try {
          text = payloadToText(value, mebibyte);
        } catch (error) {
          expect(isLineshaftError(error), String(error)).toBe(true);
        }
        expect(() => JSON.parse(text)).not.toThrow();
      },
    ),
    { numRuns: 500 },
  );
});
