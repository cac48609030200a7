import { describe, expect, test } from 'vitest';
import { describeDuration, describeTime, durationMs, parseDuration, parseTime } from './durations.ts';

describe('durations', () => {
  test.each([
    ['500ms', 500],
    ['10s', 10_000],
    ['10', 10_000],
    ['0.5', 500],
    ['1.5s', 1_500],
    ['10m', 600_000],
    ['10min', 600_000],
    ['1h30m', 5_400_000],
    ['1h 30m', 5_400_000],
    ['2d', 172_800_000],
    ['1w', 604_800_000],
    ['0', 0],
  ])('%s is %d ms', (text, ms) => {
    expect(durationMs(text)).toBe(ms);
  });

  test.each(['', ' ', 'soon', '10x', '-5s', '1h-3m', 'm10', '10 parsecs'])('%j is none', (text) => {
    expect(() => parseDuration(text, '--delay')).toThrow(
      `--delay must be a duration such as 500ms, 10s, 10m or 1h30m (a bare number is seconds), not '${text}'`,
    );
  });

  test('are told in the unit that people would choose', () => {
    const told = [0, 850, 3_240, 10_000, 95_000, 720_000, 18_000_000, 259_200_000].map(describeDuration);
    expect(told).toEqual(['0 ms', '850 ms', '3.2 s', '10 s', '95 s', '12 min', '5 h', '3 days']);
  });
});

describe('times', () => {
  const now = Date.parse('2030-01-31T08:00:00Z');

  test('from now', () => {
    expect(parseTime('10m', '--run-at', now)).toEqual(new Date('2030-01-31T08:10:00Z'));
    expect(parseTime('+1h30m', '--run-at', now)).toEqual(new Date('2030-01-31T09:30:00Z'));
  });

  test('as ISO 8601 with a zone, left to the core to check; a date is its midnight in UTC', () => {
    expect(parseTime('2030-02-01T08:00:00+02:00', '--run-at', now)).toBe('2030-02-01T08:00:00+02:00');
    expect(parseTime('2030-02-01', '--run-at', now)).toBe('2030-02-01T00:00:00Z');
  });

  test.each(['tomorrow', '2030-02-01T08:00:00', '08:00', ''])('%j is none', (text) => {
    expect(() => parseTime(text, '--run-at', now)).toThrow(
      /^--run-at must be a time such as 2030-01-31T08:00:00Z/,
    );
  });

  test('are told by how far they are', () => {
    const told = [-3_000, 0, 300_000].map((ms) => describeTime(new Date(now + ms), now));
    expect(told).toEqual(['3 s ago', 'now', 'in 5 min']);
  });
});
