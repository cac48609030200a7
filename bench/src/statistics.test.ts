import { expect, test } from 'vitest';
import { median, pairedRatios, percentile, spread } from './statistics.ts';

test('the median of an even count lies between the two in the middle', () => {
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([3, 1, 2])).toBe(2);
});

test('a percentile is a value that was measured, by nearest rank', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
  expect(percentile(hundred, 50)).toBe(50);
  expect(percentile(hundred, 99)).toBe(99);
  expect(percentile([7], 99)).toBe(7);
});

test('ratios are taken round by round, and rounds that one side did not finish are left out', () => {
  expect(pairedRatios([10, undefined, 30, 40], [5, 5, 10])).toEqual([2, 3]);
});

test('a spread tells median, extremes and rounds', () => {
  expect(spread([2, 8, 4])).toEqual({ median: 4, min: 2, max: 8, rounds: 3 });
});
