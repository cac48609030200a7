import { expect, test } from 'vitest';
import { parseSearchQuery, parseSort, validateSearch } from './search-query.ts';

const read = (text: string) => parseSearchQuery(text).map(({ field, op, values }) => [field, op, ...values]);

test('conditions are joined by AND; values are bare, quoted or a list', () => {
  expect(
    read("workflowType = 'my flow' AND status IN (FAILED, TIMED_OUT) and startTime>1700000000000"),
  ).toEqual([
    ['workflowType', 'eq', 'my flow'],
    ['status', 'in', 'FAILED', 'TIMED_OUT'],
    ['startTime', 'gt', '1700000000000'],
  ]);
  expect(read('workflowType=my flow AND correlationId="a \\"b\\" AND c"')).toEqual([
    ['workflowType', 'eq', 'my flow'],
    ['correlationId', 'eq', 'a "b" AND c'],
  ]);
  expect(read('  ')).toEqual([]);
});

test('a star stands for anything, alone for all', () => {
  expect(read('workflowType = order* AND correlationId = *')).toEqual([['workflowType', 'like', 'order*']]);
});

test('fields that do not exist are left out; ids that are none find nothing', () => {
  const id = '0190D3C5-1111-7222-8333-444455556666';
  expect(read(`color = red AND toString = x AND workflowId = ${id} AND taskId IN (1, 2)`)).toEqual([
    ['workflowId', 'in', id.toLowerCase()],
    ['taskId', 'in'],
  ]);
});

test.each([
  ['status', 'at its end'],
  ['status = ', 'a value'],
  ['status ~ x', '=, >, < or IN'],
  ['= x', 'the name of a field'],
  ['status = x OR status = y', 'AND must stand at character 22'],
  ['status = x AND', 'a condition after AND'],
  ["status = 'x", 'not closed'],
  ['status IN (a', ', or )'],
  ['status IN a', '( must stand'],
  ['status > x', 'compare it with = or IN'],
  ['startTime > yesterday', 'milliseconds since 1970'],
  [`status IN (${'x,'.repeat(1_000)}x)`, 'at most 1000 values'],
  [Array.from({ length: 51 }, () => 'status = x').join(' AND '), 'at most 50 conditions'],
])('refuses what cannot be read: %s', (text, words) => {
  expect(() => parseSearchQuery(text)).toThrow(words);
});

test('sorts by several fields; unknown ones are left out', () => {
  expect(parseSort('startTime:DESC|workflowType:asc | color:ASC|status')).toEqual([
    { field: 'startTime', descending: true },
    { field: 'workflowType', descending: false },
    { field: 'status', descending: false },
  ]);
  expect(() => parseSort('startTime:DOWN')).toThrow("not 'startTime:DOWN'");
});

test('bounds are those of the answer', () => {
  expect(validateSearch({})).toMatchObject({ conditions: [], words: [], sort: [], start: 0, size: 100 });
  expect(validateSearch({ freeText: '* order 77*' }).words).toEqual(['order', '77*']);
  expect(() => validateSearch({ size: 5_001 })).toThrow('size must be a whole number from 0 to 5000');
  expect(() => validateSearch({ start: 100_001 })).toThrow('narrow the search by startTime');
  expect(() => validateSearch({ query: 7 })).toThrow('query must be a text');
  expect(() => validateSearch({ query: 'x'.repeat(10_001) })).toThrow('at most 10000 characters');
});
