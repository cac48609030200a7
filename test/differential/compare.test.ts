import { expect, test } from 'vitest';
import { compare, judge, scenariosOf } from './compare.ts';
import type { Exchange } from './conversation.ts';
import { normalise } from './normalise.ts';

const run = '01902f3e-0000-7000-8000-000000000001';
const task = '01902f3e-0000-7000-8000-000000000002';

function answer(body: unknown, status = 200): Exchange {
  return { call: `GET /workflow/${run}`, status, type: 'application/json', body };
}

test('ids get names by the order in which they come up, times become a word', () => {
  const body = {
    workflowId: run,
    taskId: task,
    startTime: 1_763_000_000_000,
    endTime: 0,
    again: `of ${task}`,
  };
  expect(normalise([answer(body)])[0]?.body).toEqual({
    workflowId: '<id 1>',
    taskId: '<step 1>',
    startTime: '<time>',
    endTime: 0,
    again: 'of <step 1>',
  });
});

test('differences are found field by field, also what is missing on one side', () => {
  const theirs = [answer({ a: 1, list: [{ b: null }, 2], only: 'theirs' })];
  const ours = [answer({ a: '1', list: [{ b: null }], more: 'ours' }, 500)];
  const found = compare('s', theirs, ours).map(({ at, theirs: left, ours: right }) => [at, left, right]);
  expect(found).toEqual([
    ['status', 200, 500],
    ['body.a', 1, '1'],
    ['body.list[1]', 2, undefined],
    ['body.only', 'theirs', undefined],
    ['body.more', undefined, 'ours'],
  ]);
});

test('a call that only one side made is a difference', () => {
  expect(compare('s', [answer(1), answer(2)], [answer(1)])).toHaveLength(1);
});

const differences = compare(
  's',
  [answer({ tasks: [{ n: 1 }], x: 1, y: 'old' })],
  [answer({ tasks: [{ n: 2 }], x: 2, y: 'a new word' })],
);
const known = { scenario: '*', call: 'GET *', reason: 'counted otherwise' };

function placesOf(entry: object): string[] {
  const { unknown } = judge(new Map([['s', [differences]]]), [{ ...known, at: '**', ...entry }]);
  return unknown.map(({ at }) => at);
}

test('a known difference explains those of its pattern, and one that meets nothing is told', () => {
  const { unknown, unmet } = judge(new Map([['s', [differences]]]), [
    { ...known, at: ['body.tasks[*].n', 'body.x'] },
    { ...known, at: 'body.z' },
    { ...known, at: 'body.z', sometimes: 'It has a race.' },
  ]);
  expect(unknown.map(({ at }) => at)).toEqual(['body.y']);
  expect(unmet.map(({ at, sometimes }) => [at, sometimes])).toEqual([['body.z', undefined]]);
});

test('a star in a place is one name or number, two are any way down', () => {
  expect(placesOf({ at: 'body.*' })).toEqual(['body.tasks[0].n']);
  expect(placesOf({ at: 'body.*[*].n' })).toEqual(['body.x', 'body.y']);
  expect(placesOf({ at: '**.n' })).toEqual(['body.x', 'body.y']);
});

test('another value at a known place is a new difference', () => {
  expect(placesOf({ theirs: 'old', ours: 'a * word' })).toEqual(['body.tasks[0].n', 'body.x']);
  expect(placesOf({ theirs: 'old', ours: 'another *' })).toHaveLength(3);
  expect(placesOf({ theirs: 1 })).toEqual(['body.y']);
  expect(placesOf({ theirs: 1, ours: '<absent>' })).toHaveLength(3);
  expect(placesOf({ theirs: '<present>', ours: 2 })).toEqual(['body.y']);
});

test('values are told apart down to their last field, absent ones too', () => {
  const [difference] = compare('s', [answer({})], [answer({ list: [{ code: 'A1', n: null }] })]);
  const explains = (ours: unknown) =>
    judge(new Map([['s', [difference === undefined ? [] : [difference]]]]), [
      { ...known, at: 'body.list', theirs: '<absent>', ours },
    ]).unknown.length === 0;
  expect(explains([{ code: 'A*', n: null }])).toBe(true);
  expect(explains([{ code: 'A*' }])).toBe(false);
  expect(explains([{ code: 'A*', n: null, more: 1 }])).toBe(false);
  expect(explains([])).toBe(false);
});

test('what does not show each time that a conversation is held is a race', () => {
  const others = differences.filter(({ at }) => at !== 'body.x');
  const { unknown, unmet } = judge(new Map([['s', [differences, others]]]), [
    { ...known, at: 'body.tasks[0].n' },
  ]);
  expect(unknown.map(({ at }) => at)).toEqual(['body.y']);
  expect(unmet).toEqual([]);
});

test('a conversation is held again for what is new in it and for what is missing of its own', () => {
  const unmet = [
    { ...known, scenario: ['a', 'b'], at: 'x' },
    { ...known, at: 'y' },
  ];
  expect([...scenariosOf({ unknown: differences, unmet })]).toEqual(['s', 'a', 'b']);
});
