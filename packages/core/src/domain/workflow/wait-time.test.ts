import { expect, test } from 'vitest';
import { waitTime } from './wait-time.ts';

const now = Date.UTC(2030, 0, 1);

test.each([
  ['1d 2h 3m 4s', 93_784],
  ['5s', 5],
  ['10 seconds', 10],
  ['1 day', 86_400],
  ['2 hrs 5 mins', 7_500],
  ['1h30m', 5_400],
  ['  3 Days 1 SEC ', 259_201],
  [' ', 0],
])('duration %s is %d s', (duration, seconds) => {
  const expected = duration.trim() === '' ? { type: 'open' } : { type: 'at', dueAt: now + seconds * 1_000 };
  expect(waitTime({ duration }, now)).toEqual(expected);
});

test.each(['5', 'soon', '4s 3m', '1h 1h', '-5s', '1.5h', '1w', '9999999999d', `1d${' '.repeat(50_000)}x`, 7])(
  'duration %.20s is refused',
  (duration) => {
    expect(waitTime({ duration }, now)).toMatchObject({ type: 'refused' });
  },
);

test.each([
  ['2030-01-31', '2030-01-31T00:00:00Z'],
  ['2030-01-31 08:05', '2030-01-31T08:05:00Z'],
  ['2030-01-31 08:05 UTC', '2030-01-31T08:05:00Z'],
  ['2030-01-31 08:05 GMT+02:00', '2030-01-31T06:05:00Z'],
  ['2030-01-31 08:05 +0530', '2030-01-31T02:35:00Z'],
  ['2030-01-31 08:05 PST', '2030-01-31T16:05:00Z'],
  ['2030-07-31 08:05 Europe/Berlin', '2030-07-31T06:05:00Z'],
  // The clock goes from 02:00 to 03:00; and shows 02:30 twice.
  ['2030-03-31 02:30 Europe/Berlin', '2030-03-31T01:00:00Z'],
  ['2030-10-27 02:30 Europe/Berlin', '2030-10-27T00:30:00Z'],
])('until %s is %s', (until, instant) => {
  expect(waitTime({ until }, now)).toEqual({ type: 'at', dueAt: Date.parse(instant) });
});

test.each(['2030-02-30', '2030-01-31 25:00', '2030-01-31T08:05', 'tomorrow', '2030-01-31 08:05 Mars/Crater'])(
  'until %s is refused',
  (until) => {
    const time = waitTime({ until }, now);
    expect(time).toEqual({
      type: 'refused',
      reason: `Invalid/Unsupported Wait Until format.  Provided: ${until}`,
    });
  },
);

test('a time without a zone is of the zone that is given', () => {
  expect(waitTime({ until: '2030-07-31 08:00' }, now, 'America/New_York')).toEqual({
    type: 'at',
    dueAt: Date.parse('2030-07-31T12:00:00Z'),
  });
});

test('both are refused, neither waits for somebody', () => {
  expect(waitTime({ until: '2030-01-31', duration: '5s' }, now)).toEqual({
    type: 'refused',
    reason: "Both 'duration' and 'until' specified. Please provide only one input",
  });
  expect(waitTime({}, now)).toEqual({ type: 'open' });
  expect(waitTime({ until: null, duration: '' }, now)).toEqual({ type: 'open' });
});
