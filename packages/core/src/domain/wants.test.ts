import { describe, expect, test } from 'vitest';
import { leaveForMs, noWants, wantsFromColumn } from './wants.ts';

const ssd = { tags: ['*', 'capability=ssd'] };
const plain = { tags: ['*'] };
const wish = { prefers: ['capability=ssd'], preferMs: 3_000 };

describe('how long a worker leaves a job to the workers that it prefers', () => {
  test.each([
    ['a job without a wish', {}, ['*'], [ssd], 0],
    ['a worker that has the tags itself', wish, ssd.tags, [ssd], 0],
    ['a worker that has them not, while another one lives', wish, ['*'], [plain, ssd], 3_000],
    ['no live worker that has them', wish, ['*'], [plain], 0],
    ['no other worker', wish, ['*'], [], 0],
    [
      'all of the tags are wanted of one worker',
      { prefers: ['a=1', 'b=1'] },
      ['*'],
      [{ tags: ['a=1'] }, { tags: ['b=1'] }],
      0,
    ],
    ['a wish without a time', { prefers: ['capability=*'] }, ['*'], [ssd], 5_000],
    ['a wish of no time', { ...wish, preferMs: 0 }, ['*'], [ssd], 0],
  ] as const)('%s', (_, wants, own, others, ms) => {
    expect(leaveForMs(wants, own, others)).toBe(ms);
  });
});

test('what a lane wants is read from its column, parsed or not', () => {
  expect(wantsFromColumn('{}')).toBe(noWants);
  expect(wantsFromColumn(null)).toBe(noWants);
  expect(wantsFromColumn('{"needs": {"gpu": 1}}')).toEqual({ needs: { gpu: 1 } });
  expect(wantsFromColumn({ prefers: ['a'] })).toEqual({ prefers: ['a'] });
});
