import { expect, test } from 'vitest';
import type { LineshaftError } from './errors.ts';
import { validatePauseReason, validateSchedule } from './schedule.ts';

const plain = { name: 'report', cron: '0 6 * * *', kind: 'make-report' };

function refusal(value: unknown): LineshaftError {
  try {
    validateSchedule(value);
  } catch (error) {
    return error as LineshaftError;
  }
  throw new Error(`it was not refused: ${JSON.stringify(value)}`);
}

test('a declaration says what SQL is told', () => {
  const declared = {
    ...plain,
    timeZone: 'Europe/Berlin',
    startAt: new Date('2030-01-01T00:00:00Z'),
    endAt: '2031-01-01T00:00:00+01:00',
    jitterMs: 60_000,
    backfill: { withinMs: 3_600_000, most: 5 },
    overlap: 'queue',
    payload: { a: 1 },
    options: { queue: 'reports' },
  };
  expect(validateSchedule(declared)).toEqual({
    name: 'report',
    project: 'default',
    kind: 'make-report',
    payload: { a: 1 },
    options: { queue: 'reports' },
    settings: {
      cron: '0 6 * * *',
      timeZone: 'Europe/Berlin',
      startAt: '2030-01-01T00:00:00.000Z',
      endAt: '2030-12-31T23:00:00.000Z',
      jitterMs: 60_000,
      backfill: { withinMs: 3_600_000, most: 5 },
      overlap: 'queue',
    },
  });
});

test.each([
  ['15m', 900_000],
  ['1h30m', 5_400_000],
  ['2d', 172_800_000],
  ['1500ms', 1_500],
  [1_000, 1_000],
])('every %s', (every, everyMs) => {
  expect(validateSchedule({ name: 'a', every, kind: 'k' }).settings).toEqual({ everyMs });
});

test.each([
  [{ ...plain, cron: undefined }, 'cron', 'either cron or every'],
  [{ ...plain, every: '1m' }, 'cron', 'either cron or every'],
  [{ ...plain, cron: '0 25 * * *' }, 'cron', 'hour (field 2, character 3)'],
  [{ ...plain, timeZone: 'Europe/Berln' }, 'timeZone', "did you mean 'Europe/Berlin'?"],
  [{ name: 'a', every: '1m', timeZone: 'UTC', kind: 'k' }, 'timeZone', 'an interval knows no time zone'],
  [{ name: 'a', every: '0s', kind: 'k' }, 'every', 'from 1 s to 366 days'],
  [{ name: 'a', every: '1 fortnight', kind: 'k' }, 'every', 'such as 30s, 15m'],
  [{ name: 'a', every: 999, kind: 'k' }, 'every', '1 s to 366 days'],
  [{ ...plain, name: 'a b' }, 'name', '1 to 63'],
  [{ ...plain, overlap: 'skp' }, 'overlap', "did you mean 'skip'?"],
  [{ ...plain, overlp: 'skip' }, 'overlp', "did you mean 'overlap'?"],
  [{ ...plain, backfill: 'all' }, 'backfill', "'none' or 'last'"],
  [{ ...plain, backfill: {} }, 'backfill.withinMs', 'a whole number'],
  [{ ...plain, backfill: { withinMs: 3_600_000, most: 0 } }, 'backfill.most', '1 to 1000'],
  [{ ...plain, jitterMs: -1 }, 'jitterMs', '0 to 86400000'],
  [{ ...plain, startAt: '2030-01-01' }, 'startAt', 'with a zone'],
  [
    { ...plain, startAt: '2030-01-01T00:00:00Z', endAt: '2029-01-01T00:00:00Z' },
    'endAt',
    'later than startAt',
  ],
  [{ ...plain, options: { runAt: new Date() } }, 'options.runAt', 'the schedule says when'],
  [{ ...plain, options: { id: 'x' } }, 'options.id', 'must be left out'],
  [{ ...plain, options: { project: 'x' } }, 'options.project', 'stands beside options'],
  [{ ...plain, options: { labels: { schedule: 'x' } } }, 'options.labels.schedule', 'choose another name'],
  [{ ...plain, options: { meta: { schedule: 1 } } }, 'options.meta.schedule', 'choose another name'],
])('%j is refused', (value, field, message) => {
  const error = refusal(value);
  expect(['OPTION_INVALID', 'OPTION_UNKNOWN']).toContain(error.code);
  expect(error.details['field']).toBe(field);
  expect(error.message).toContain(message);
});

test('the reason of a pause is a text of at most 500 characters, or none', () => {
  expect(validatePauseReason('migration')).toBe('migration');
  expect(validatePauseReason(undefined)).toBeUndefined();
  expect(() => validatePauseReason('x'.repeat(501))).toThrow('1 to 500 characters');
});
