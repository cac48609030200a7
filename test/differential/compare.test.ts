import { expect, test } from 'vitest';
import { compare, judge } from './compare.ts';
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

test('a known difference explains those of its pattern, and one that meets nothing is told', () => {
  const differences = compare(
    's',
    [answer({ tasks: [{ n: 1 }], x: 1 })],
    [answer({ tasks: [{ n: 2 }], x: 2 })],
  );
  const known = { scenario: '*', call: 'GET *', reason: 'counted otherwise' };
  const { unknown, unmet } = judge(differences, [
    { ...known, at: 'body.tasks[*].n' },
    { ...known, at: 'body.y' },
    { ...known, at: 'body.z', sometimes: true },
  ]);
  expect(unknown.map(({ at }) => at)).toEqual(['body.x']);
  expect(unmet.map(({ at }) => at)).toEqual(['body.y']);
});
