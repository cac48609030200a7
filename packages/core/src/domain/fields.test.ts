import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isLineshaftError } from './errors.ts';
import { fieldsOf, oneOf, refuseUnknown, timeOf, wholeNumber } from './fields.ts';

test.each([
  ['2030-01-31T08:00:00Z', '2030-01-31T08:00:00.000Z'],
  ['2030-01-31t08:00:00z', '2030-01-31T08:00:00.000Z'],
  ['2030-01-31T08:00Z', '2030-01-31T08:00:00.000Z'],
  ['2030-01-31 08:00:00.25+02:00', '2030-01-31T06:00:00.250Z'],
  ['2030-01-31T08:00:00-0530', '2030-01-31T13:30:00.000Z'],
  ['2030-01-31 08:00:00.123456+00', '2030-01-31T08:00:00.124Z'],
  ['2030-01-31T08:00:00.029Z', '2030-01-31T08:00:00.029Z'],
  ['2030-01-31T08:00:00.123000Z', '2030-01-31T08:00:00.123Z'],
  ['2028-02-29T23:59:59Z', '2028-02-29T23:59:59.000Z'],
  ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
])('%s is the time %s', (text, time) => {
  expect(timeOf(text, 'runAt').toISOString()).toBe(time);
});

test.each([
  ['2030-01-31T08:00:00'],
  ['2030-01-31'],
  ['2030-02-29T08:00:00Z'],
  ['2030-02-30T08:00:00Z'],
  ['2030-13-01T08:00:00Z'],
  ['2030-01-31T24:00:00Z'],
  ['2030-01-31T08:60:00Z'],
  ['2030-01-31T08:00:00+25:00'],
  ['0000-01-01T00:00:00Z'],
  ['+012030-01-31T08:00:00Z'],
  ['tomorrow'],
  [''],
  [1_900_000_000_000],
  [null],
  [new Date('nonsense')],
  [new Date(8.64e15)],
])('%s is refused as a time', (value) => {
  expect(() => timeOf(value, 'runAt')).toThrow(
    /^runAt must be a valid Date, or an ISO 8601 text with a zone like '2030-01-31T08:00:00Z', not /,
  );
});

test('every date within the years 1 to 9999 is the same as its ISO text', () => {
  const range = {
    min: new Date('0001-01-01T00:00:00Z'),
    max: new Date('9999-12-31T23:59:59.999Z'),
    noInvalidDate: true,
  };
  fc.assert(
    fc.property(fc.date(range), (date) => {
      expect(timeOf(date, 'runAt')).toEqual(date);
      expect(timeOf(date.toISOString(), 'runAt')).toEqual(date);
    }),
  );
});

test.each([[[]], [new Date()], [new Map()], [new Set()], [Promise.resolve()], [null], ['text'], [() => 1]])(
  '%o is no object with fields',
  (value) => {
    expect(() => fieldsOf(value, 'limits')).toThrow(/^limits must be an object, not /);
  },
);

test('objects of any class, of none, and of JSON have fields', () => {
  class Options {
    queue = 'mail';
  }
  for (const value of [new Options(), Object.create(null), JSON.parse('{}')]) {
    expect(fieldsOf(value, 'options')).toBe(value);
  }
});

test('without a near name, the names that exist are listed', () => {
  expect(() => refuseUnknown({ colour: 1 }, ['a', 'b'])).toThrow(
    "there is no option 'colour'; options: a, b",
  );
});

test('an error names the field in its details', () => {
  try {
    oneOf('atuo', 'wake', ['auto', 'always', 'never']);
    expect.unreachable();
  } catch (error) {
    expect(isLineshaftError(error, 'OPTION_INVALID') && error.details).toEqual({ field: 'wake' });
    expect(String(error)).toContain(
      "wake must be 'auto', 'always' or 'never', not 'atuo'; did you mean 'auto'?",
    );
  }
});

test.each([[1.5], [Number.NaN], [Number.POSITIVE_INFINITY], ['5'], [5n], [true], [null], [11], [-1]])(
  '%s is no whole number from 0 to 10',
  (value) => {
    expect(() => wholeNumber(value, 'n', 0, 10)).toThrow(/^n must be a whole number from 0 to 10, not /);
  },
);

test('minus zero is zero', () => {
  expect(Object.is(wholeNumber(-0, 'n', 0, 10), 0)).toBe(true);
});
