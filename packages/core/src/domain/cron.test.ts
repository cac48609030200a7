import { describe, expect, test } from 'vitest';
import { daysOf, namedRules, parseCron } from './cron.ts';
import type { LineshaftError } from './errors.ts';

/** The days of a month, as a list. */
function days(text: string, year: number, month: number): number[] {
  const mask = daysOf(parseCron(text), year, month);
  return Array.from({ length: 31 }, (_, index) => index + 1).filter((day) => (mask & (1 << day)) !== 0);
}

function refusal(text: unknown): LineshaftError {
  try {
    parseCron(text);
  } catch (error) {
    return error as LineshaftError;
  }
  throw new Error(`it was not refused: ${String(text)}`);
}

describe('the text of a rule', () => {
  test.each([
    ['5 fields', '15 3 * * *', [0], [15], [3]],
    ['6 fields, seconds first', '30 15 3 * * *', [30], [15], [3]],
    ['lists and ranges', '1,5-7 3 * * *', [0], [1, 5, 6, 7], [3]],
    ['steps', '*/20 8-16/4 * * *', [0], [0, 20, 40], [8, 12, 16]],
    ['a step from a value on', '50/3 3 * * *', [0], [50, 53, 56, 59], [3]],
    ['blanks around and between', '  15   3\t* * * ', [0], [15], [3]],
    ['doubles', '7,7,3 3,3 * * *', [0], [3, 7], [3]],
  ])('%s', (_about, text, seconds, minutes, hours) => {
    expect(parseCron(text)).toMatchObject({ seconds, minutes, hours });
  });

  test('each named rule is its rule', () => {
    for (const [name, text] of Object.entries(namedRules)) {
      expect(parseCron(name.toUpperCase())).toEqual({ ...parseCron(text), text: name.toUpperCase() });
    }
  });

  test('a rule names every hour by a star, a range or a step', () => {
    expect(parseCron('0 * * * *').everyHour).toBe(true);
    expect(parseCron('0 0-23 * * *').everyHour).toBe(true);
    expect(parseCron('0 */2 * * *').everyHour).toBe(false);
  });
});

describe('the days of a rule', () => {
  // November 2026 begins with a Sunday.
  test.each([
    ['0 0 1,15 * *', [1, 15]],
    ['0 0 */10 * *', [1, 11, 21, 31].filter((day) => day < 31)],
    ['0 0 L * *', [30]],
    ['0 0 L-2 * *', [28]],
    ['0 0 LW * *', [30]],
    ['0 0 15W * *', [16]],
    ['0 0 1W * *', [2]],
    ['0 0 28W * *', [27]],
    ['0 0 ? * MON', [2, 9, 16, 23, 30]],
    ['0 0 * * mon-wed', [2, 3, 4, 9, 10, 11, 16, 17, 18, 23, 24, 25, 30]],
    ['0 0 * * 7', [1, 8, 15, 22, 29]],
    ['0 0 * * 0', [1, 8, 15, 22, 29]],
    ['0 0 * * SAT-SUN', [1, 7, 8, 14, 15, 21, 22, 28, 29]],
    ['0 0 * * 5-7', [1, 6, 7, 8, 13, 14, 15, 20, 21, 22, 27, 28, 29]],
    ['0 0 * * FRI#2', [13]],
    ['0 0 * * 5#2,1L', [13, 30]],
    ['0 0 * * 5L', [27]],
    ['0 0 13 * FRI', [6, 13, 20, 27]],
    ['0 0 * JAN,MAR *', []],
  ])('%s', (text, expected) => {
    expect(days(text, 2026, 11)).toEqual(expected);
  });

  test('days that a month lacks are passed over', () => {
    expect(days('0 0 29-31 * *', 2026, 2)).toEqual([]);
    expect(days('0 0 29-31 * *', 2028, 2)).toEqual([29]);
    expect(days('0 0 31W * *', 2026, 4)).toEqual([]);
    expect(days('0 0 L * *', 2028, 2)).toEqual([29]);
  });
});

describe('what is wrong is refused with its place', () => {
  test.each([
    ['61 8 * * *', 'minute', 1, 1, "minute (field 1, character 1) must be 0 to 59, not '61'"],
    ['0 25 * * *', 'hour', 2, 3, "hour (field 2, character 3) must be 0 to 23, not '25'"],
    ['0 8 1,2,32 * *', 'day of month', 3, 9, "(field 3, character 9) must be 1 to 31, not '32'"],
    ['0 8 * 13 *', 'month', 4, 7, "month (field 4, character 7) must be 1 to 12, not '13'"],
    ['0 8 * * 8', 'day of week', 5, 9, "(field 5, character 9) must be 0 to 7, not '8'"],
    ['0 8 * * MNO', 'day of week', 5, 9, "did you mean 'MON'?"],
    ['0 8 * * 1#6', 'day of week', 5, 9, 'must be 1 to 5'],
    ['90 0 8 * * *', 'second', 1, 1, 'second (field 1'],
    ['*/0 * * * *', 'minute', 1, 1, 'must be 1 to 59'],
    ['0 22-2 * * *', 'hour', 2, 3, 'write it in two parts: 22-23,0-2'],
    ['0 8- * * *', 'hour', 2, 3, 'with ranges (1-5), steps (*/5) and commas'],
    ['0 ? * * *', 'hour', 2, 3, "not '?'"],
    ['0 8,, * * *', 'hour', 2, 5, "not ''"],
    ['0 8 L-31 * *', 'day of month', 3, 5, 'must be 0 to 30'],
  ])('%s', (text, part, number, position, message) => {
    const error = refusal(text);
    expect(error.code).toBe('OPTION_INVALID');
    expect(error.details).toEqual({ field: 'cron', part, number, position });
    expect(error.message).toContain(message);
  });

  test.each([
    ['* * *', 'must have 5 fields'],
    ['* * * * * * *', 'has 7'],
    ['', 'must be a cron rule'],
    [7, 'must be a cron rule'],
    [`${'1,'.repeat(200)}1 * * * *`, 'at most 200 characters'],
    ['@dayly', "did you mean '@daily'?"],
    ['@reboot', 'rules: @yearly'],
    ['0 0 30 2 *', 'never comes due'],
    ['0 0 31W 4,6 *', 'never comes due'],
  ])('%s', (text, message) => {
    expect(refusal(text).message).toContain(message);
  });
});

test('of rules of Conductor a day must fit both fields of days', () => {
  // In January 2023 the 13th is a Friday, and so are the 6th, the 20th and the 27th.
  const days = (rule: 'either' | 'both') => daysOf(parseCron('0 0 9 13 * FRI', 'cron', rule), 2023, 1);
  expect(days('both')).toBe(1 << 13);
  expect(days('either')).toBe((1 << 6) | (1 << 13) | (1 << 20) | (1 << 27));
  expect(daysOf(parseCron('0 0 9 ? * FRI', 'cron', 'both'), 2023, 1)).toBe(days('either'));
});
