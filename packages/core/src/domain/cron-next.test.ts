import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CronRule, daysOf, parseCron } from './cron.ts';
import { nextTick } from './cron-next.ts';
import { TimeZone, timeZoneOf } from './time-zone.ts';

const minuteMs = 60_000;
const dayMs = 86_400_000;

/** The ticks from a time on, as ISO texts without seconds. */
function ticks(text: string, zone: string, from: string, count: number): string[] {
  const rule = parseCron(text);
  const found: string[] = [];
  let at = Date.parse(from);
  while (found.length < count) {
    const next = nextTick(rule, timeZoneOf(zone), at);
    if (next === undefined) break;
    found.push(new Date(next).toISOString().slice(0, 16));
    at = next;
  }
  return found;
}

describe('on the day when the clock is put forward', () => {
  test.each([
    // 02:00 becomes 03:00 at 01:00 UTC.
    ['Europe/Berlin', '30 2 * * *', '2026-03-28T12:00Z', ['2026-03-29T01:00', '2026-03-30T00:30']],
    ['Europe/Berlin', '0,15,30 2 * * *', '2026-03-29T00:00Z', ['2026-03-29T01:00', '2026-03-30T00:00']],
    ['Europe/Berlin', '30 2,3 * * *', '2026-03-29T00:00Z', ['2026-03-29T01:00', '2026-03-29T01:30']],
    ['Europe/Berlin', '0 2,3 * * *', '2026-03-29T00:00Z', ['2026-03-29T01:00', '2026-03-30T00:00']],
    ['Europe/Berlin', '30 * * * *', '2026-03-29T00:00Z', ['2026-03-29T00:30', '2026-03-29T01:30']],
    [
      'Europe/Berlin',
      '0 */2 * * *',
      '2026-03-28T22:30Z',
      ['2026-03-28T23:00', '2026-03-29T01:00', '2026-03-29T02:00'],
    ],
    // 02:00 becomes 03:00 at 07:00 UTC.
    ['America/New_York', '30 2 * * *', '2026-03-07T12:00Z', ['2026-03-08T07:00', '2026-03-09T06:30']],
    ['America/New_York', '0 * * * *', '2026-03-08T05:30Z', ['2026-03-08T06:00', '2026-03-08T07:00']],
    // 02:00 becomes 02:30 at 15:30 UTC.
    ['Australia/Lord_Howe', '15 2 * * *', '2026-10-03T00:00Z', ['2026-10-03T15:30', '2026-10-04T15:15']],
    ['Australia/Lord_Howe', '45 2 * * *', '2026-10-03T00:00Z', ['2026-10-03T15:45', '2026-10-04T15:45']],
    ['Australia/Lord_Howe', '*/20 * * * *', '2026-10-03T15:00Z', ['2026-10-03T15:10', '2026-10-03T15:40']],
    // A day that Samoa never had.
    [
      'Pacific/Apia',
      '0 9 * * *',
      '2011-12-29T00:00Z',
      ['2011-12-29T19:00', '2011-12-30T10:00', '2011-12-30T19:00'],
    ],
  ])('%s: %s', (zone, text, from, expected) => {
    expect(ticks(text, zone, from, expected.length)).toEqual(expected);
  });
});

describe('on the day when the clock is put back', () => {
  test.each([
    // 03:00 becomes 02:00 at 01:00 UTC.
    ['Europe/Berlin', '30 2 * * *', '2026-10-24T12:00Z', ['2026-10-25T00:30', '2026-10-26T01:30']],
    ['Europe/Berlin', '30 2 * * *', '2026-10-25T01:10Z', ['2026-10-26T01:30']],
    ['Europe/Berlin', '0 2,3 * * *', '2026-10-24T12:00Z', ['2026-10-25T00:00', '2026-10-25T02:00']],
    [
      'Europe/Berlin',
      '0 * * * *',
      '2026-10-24T23:30Z',
      ['2026-10-25T00:00', '2026-10-25T01:00', '2026-10-25T02:00'],
    ],
    ['Europe/Berlin', '10 * * * *', '2026-10-25T00:50Z', ['2026-10-25T01:10', '2026-10-25T02:10']],
    // 02:00 becomes 01:00 at 06:00 UTC.
    ['America/New_York', '30 1 * * *', '2026-10-31T12:00Z', ['2026-11-01T05:30', '2026-11-02T06:30']],
    ['America/New_York', '0 * * * *', '2026-11-01T04:30Z', ['2026-11-01T05:00', '2026-11-01T06:00']],
    // 02:00 becomes 01:30 at 15:00 UTC.
    [
      'Australia/Lord_Howe',
      '45 1 * * *',
      '2026-04-03T12:00Z',
      ['2026-04-03T14:45', '2026-04-04T14:45', '2026-04-05T15:15'],
    ],
    [
      'Australia/Lord_Howe',
      '40 * * * *',
      '2026-04-04T14:00Z',
      ['2026-04-04T14:40', '2026-04-04T15:10', '2026-04-04T16:10'],
    ],
  ])('%s: %s', (zone, text, from, expected) => {
    expect(ticks(text, zone, from, expected.length)).toEqual(expected);
  });
});

test('a rule with seconds ticks by seconds', () => {
  const rule = parseCron('*/20 59 23 31 12 *');
  const utc = timeZoneOf('UTC');
  const first = nextTick(rule, utc, Date.parse('2026-12-31T23:59:10.500Z')) ?? 0;
  expect(new Date(first).toISOString()).toBe('2026-12-31T23:59:20.000Z');
  expect(nextTick(rule, utc, Date.parse('2026-12-31T23:59:40Z'))).toBe(Date.parse('2027-12-31T23:59:00Z'));
});

test('29 February on a Monday is found 28 years ahead', () => {
  expect(ticks('0 0 ? 2 MON#5', 'UTC', '2044-03-01T00:00Z', 1)).toEqual(['2072-02-29T00:00']);
});

test('a zone knows its offset, and the instants of a time on its clock', () => {
  const zone = new TimeZone('Europe/Berlin');
  expect(zone.offsetMs(Date.parse('2026-03-29T00:59:59.999Z'))).toBe(3_600_000);
  expect(zone.offsetMs(Date.parse('2026-03-29T01:00:00Z'))).toBe(7_200_000);
  expect(zone.instantsOf(Date.parse('2026-10-25T02:30Z')).instants).toEqual([
    Date.parse('2026-10-25T00:30Z'),
    Date.parse('2026-10-25T01:30Z'),
  ]);
  expect(zone.instantsOf(Date.parse('2026-03-29T02:30Z'))).toEqual({
    instants: [],
    changesAtMs: Date.parse('2026-03-29T01:00Z'),
  });
});

test.each([
  ['Europe/Berln', "did you mean 'Europe/Berlin'?"],
  ['berlin', "did you mean 'Europe/Berlin'?"],
  ['new york', "did you mean 'America/New_York'?"],
  ['+02:00', 'an IANA time zone'],
  [7, 'an IANA time zone'],
])('the zone %s is refused', (name, message) => {
  expect(() => timeZoneOf(name)).toThrow(message);
});

/** What a clock shows, by asking Intl each time. */
function clockOf(name: string): (instantMs: number) => number {
  const format = new Intl.DateTimeFormat('en-US', {
    ...{ timeZone: name, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric' },
    ...{ hour: 'numeric', minute: 'numeric' },
  });
  return (instantMs) => {
    const parts = Object.fromEntries(
      format.formatToParts(instantMs).map(({ type, value }) => [type, Number(value)]),
    );
    return Date.UTC(
      parts['year'] ?? 0,
      (parts['month'] ?? 1) - 1,
      parts['day'],
      parts['hour'],
      parts['minute'],
    );
  };
}

function fits(rule: CronRule, localMs: number): boolean {
  const local = new Date(localMs);
  return (
    rule.minutes.includes(local.getUTCMinutes()) &&
    rule.hours.includes(local.getUTCHours()) &&
    (daysOf(rule, local.getUTCFullYear(), local.getUTCMonth() + 1) & (1 << local.getUTCDate())) !== 0
  );
}

/** The ticks of a span, found by walking through its minutes and looking at the clock. */
function slowTicks(rule: CronRule, zone: string, fromMs: number, untilMs: number): number[] {
  const clock = clockOf(zone);
  const found: number[] = [];
  const shown = new Set<number>();
  let before = clock(fromMs - dayMs);
  for (let at = fromMs - dayMs + minuteMs; at <= untilMs; at += minuteMs) {
    const local = clock(at);
    const passedOver: number[] = [];
    for (let gap = before + minuteMs; gap < local; gap += minuteMs) passedOver.push(gap);
    const comes = rule.everyHour
      ? fits(rule, local)
      : (!shown.has(local) && fits(rule, local)) || passedOver.some((each) => fits(rule, each));
    if (comes && at > fromMs) found.push(at);
    shown.add(local);
    before = local;
  }
  return found;
}

/** Days around which clocks change, and one on which none does. */
const eves = [
  ['Europe/Berlin', '2026-03-28T20:00Z'],
  ['Europe/Berlin', '2026-10-24T20:00Z'],
  ['America/New_York', '2026-03-08T00:00Z'],
  ['America/New_York', '2026-11-01T00:00Z'],
  ['Australia/Lord_Howe', '2026-04-04T08:00Z'],
  ['Australia/Lord_Howe', '2026-10-03T08:00Z'],
  ['Africa/Casablanca', '2026-02-14T20:00Z'],
  ['America/Santiago', '2026-09-05T20:00Z'],
  ['Asia/Kathmandu', '2026-06-01T00:00Z'],
] as const;

const list = (low: number, high: number): fc.Arbitrary<string> =>
  fc
    .uniqueArray(fc.integer({ min: low, max: high }), { minLength: 1, maxLength: 4 })
    .map((all) => all.join(','));
const field = (low: number, high: number): fc.Arbitrary<string> =>
  fc.oneof(
    list(low, high),
    fc.constant('*'),
    fc.integer({ min: 1, max: high }).map((by) => `*/${by}`),
  );
const rules = fc
  .tuple(
    field(0, 59),
    field(0, 23),
    fc.oneof(fc.constant('*'), list(1, 28), fc.constant('L')),
    fc.constant('*'),
    fc.oneof(fc.constant('*'), list(0, 7)),
  )
  .map((fields) => fields.join(' '));

test('the ticks are those that are found by walking through all minutes', { timeout: 120_000 }, () => {
  fc.assert(
    fc.property(
      rules,
      fc.constantFrom(...eves),
      fc.integer({ min: 0, max: 12 * 60 }),
      (text, [zone, eve], later) => {
        const rule = parseCron(text);
        const fromMs = Date.parse(eve) + later * minuteMs;
        const untilMs = fromMs + 20 * 3_600_000;
        const found: number[] = [];
        for (let at: number | undefined = fromMs; ; ) {
          at = nextTick(rule, timeZoneOf(zone), at);
          if (at === undefined || at > untilMs) break;
          found.push(at);
        }
        expect(found).toEqual(slowTicks(rule, zone, fromMs, untilMs));
      },
    ),
    { numRuns: 150 },
  );
});

test('a tick is later than what it is after, and none lies between', () => {
  fc.assert(
    fc.property(
      rules,
      fc.constantFrom(...eves),
      fc.integer({ min: -200 * dayMs, max: 200 * dayMs }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (text, [name, eve], away, part) => {
        const [rule, zone, after] = [parseCron(text), timeZoneOf(name), Date.parse(eve) + away];
        const tick = nextTick(rule, zone, after) ?? Number.NaN;
        expect(tick).toBeGreaterThan(after);
        expect(tick % 1_000).toBe(0);
        // From anywhere in between, the same one is next.
        expect(nextTick(rule, zone, Math.floor(after + (tick - 1 - after) * part))).toBe(tick);
      },
    ),
    { numRuns: 500 },
  );
});
