import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseCron } from './cron.ts';
import { type Clockwork, jitterOf, planSchedule } from './plan-schedule.ts';
import { nextTickOf, nextTicksOf } from './schedule.ts';
import { timeZoneOf } from './time-zone.ts';

const hourMs = 3_600_000;
const noon = Date.parse('2026-11-22T12:00:00Z');

function clockwork(
  given: Partial<Clockwork> & { cron?: string; everyMs?: number; endsAtMs?: number } = {},
): Clockwork {
  const { cron, everyMs, endsAtMs, ...rest } = given;
  return {
    id: '7',
    timing: {
      cron: everyMs === undefined ? parseCron(cron ?? '0 * * * *') : undefined,
      zone: timeZoneOf('UTC'),
      everyMs,
      anchorMs: noon - 30 * 24 * hourMs,
      startsAtMs: undefined,
      endsAtMs,
    },
    planFromMs: noon - 30 * 24 * hourMs,
    lastTickMs: undefined,
    nextTickMs: noon,
    jitterMs: 0,
    backfill: 'last',
    withinMs: 24 * hourMs,
    most: 100,
    ...rest,
  };
}

describe('a schedule that is due', () => {
  test('runs its tick and plans the next', () => {
    expect(planSchedule(clockwork(), noon)).toEqual({
      ...{ ticks: [{ atMs: noon, missed: false }], missed: 0 },
      ...{ nextTickMs: noon + hourMs, nextDueMs: noon + hourMs },
    });
  });

  test('a moment before it is due it does nothing', () => {
    expect(planSchedule(clockwork(), noon - 1)).toMatchObject({ ticks: [], nextTickMs: noon });
  });

  test('that was changed is planned from then on, not from its last tick', () => {
    const changed = clockwork({ nextTickMs: undefined, planFromMs: noon + 1, lastTickMs: noon - hourMs });
    expect(planSchedule(changed, noon + 2)).toMatchObject({ ticks: [], nextTickMs: noon + hourMs });
  });

  test('never runs a tick twice, also when it was changed after it', () => {
    const changed = clockwork({ nextTickMs: undefined, planFromMs: noon - 5 * hourMs, lastTickMs: noon });
    expect(planSchedule(changed, noon + 1)).toMatchObject({
      ticks: [],
      missed: 0,
      nextTickMs: noon + hourMs,
    });
  });

  test('ends after its last tick', () => {
    const last = clockwork({ endsAtMs: noon + 1 });
    expect(planSchedule(last, noon)).toMatchObject({
      ticks: [{ atMs: noon }],
      nextTickMs: undefined,
      nextDueMs: undefined,
    });
  });
});

describe('ticks that were missed', () => {
  const back = noon + 3 * hourMs + 30 * 60_000;
  const late = (text: 'none' | 'last' | 'all', more: Partial<Clockwork> = {}) =>
    planSchedule(clockwork({ backfill: text, ...more }), back);
  const hours = (plan: ReturnType<typeof planSchedule>): number[] =>
    plan.ticks.map(({ atMs }) => (atMs - noon) / hourMs);

  test('none: are forgotten', () => {
    expect(late('none')).toMatchObject({ ticks: [], missed: 4, nextTickMs: noon + 4 * hourMs });
  });

  test('last: one stands for all', () => {
    expect(late('last')).toMatchObject({ ticks: [{ atMs: noon + 3 * hourMs, missed: true }], missed: 3 });
  });

  test('all: run within their window', () => {
    expect(hours(late('all'))).toEqual([0, 1, 2, 3]);
    expect(late('all', { withinMs: 2 * hourMs })).toMatchObject({ missed: 2 });
    expect(hours(late('all', { withinMs: 2 * hourMs }))).toEqual([2, 3]);
  });

  test('all: no more than are allowed, the newest', () => {
    expect(hours(late('all', { most: 3 }))).toEqual([1, 2, 3]);
  });

  test('a tick that is less than a minute late is not missed', () => {
    const plan = planSchedule(clockwork({ backfill: 'none' }), noon + 3 * hourMs + 59_000);
    expect(plan).toMatchObject({ ticks: [{ atMs: noon + 3 * hourMs, missed: false }], missed: 3 });
    // It stands for those before it.
    expect(planSchedule(clockwork(), noon + 3 * hourMs + 59_000).ticks).toEqual(plan.ticks);
  });

  test('a schedule of every second loses none by a pause of half a minute', () => {
    const plan = planSchedule(clockwork({ everyMs: 1_000 }), noon + 30_000);
    expect(plan.ticks).toHaveLength(31);
    expect(plan.missed).toBe(0);
  });

  test.each(['none', 'last', 'all'] as const)(
    '%s: a year of a schedule of every second is planned at once',
    (backfill) => {
      const plan = planSchedule(
        clockwork({ everyMs: 1_000, backfill, nextTickMs: noon - 365 * 24 * hourMs, most: 1_000 }),
        noon + 500,
      );
      expect(plan.nextTickMs).toBe(noon + 1_000);
      expect(plan.ticks.at(-1)?.atMs).toBe(noon);
      expect(plan.ticks).toHaveLength(backfill === 'all' ? 1_000 : 60);
    },
  );
});

describe('jitter', () => {
  test('is the same for everybody, below its bound, and different from tick to tick', () => {
    const all = Array.from({ length: 1_000 }, (_, n) => jitterOf('7', noon + n * hourMs, 60_000));
    expect(all).toEqual(Array.from({ length: 1_000 }, (_, n) => jitterOf('7', noon + n * hourMs, 60_000)));
    expect(all.every((each) => each >= 0 && each < 60_000)).toBe(true);
    for (let tenth = 0; tenth < 10; tenth += 1) {
      const inside = all.filter((each) => Math.floor(each / 6_000) === tenth).length;
      expect(inside).toBeGreaterThan(60);
      expect(inside).toBeLessThan(140);
    }
  });

  test('delays a tick, not the rule', () => {
    const jittered = clockwork({ jitterMs: 600_000 });
    const due = noon + jitterOf('7', noon, 600_000);
    expect(planSchedule(jittered, due - 1).ticks).toEqual([]);
    const plan = planSchedule(jittered, due);
    expect(plan).toMatchObject({ ticks: [{ atMs: noon, missed: false }], nextTickMs: noon + hourMs });
    expect(plan.nextDueMs).toBe(noon + hourMs + jitterOf('7', noon + hourMs, 600_000));
  });
});

test('an interval counts from its start, otherwise from when it was declared', () => {
  const { timing } = clockwork({ everyMs: 15 * 60_000 });
  expect(nextTicksOf({ ...timing, anchorMs: noon }, noon, 2)).toEqual([noon + 900_000, noon + 1_800_000]);
  const started = { ...timing, startsAtMs: noon };
  expect(nextTickOf(started, noon - 10 * hourMs)).toBe(noon);
  expect(nextTickOf(started, noon)).toBe(noon + 900_000);
});

test('however often one looks, every tick is planned once, in order', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('*/7 * * * *', '*/13 */5 * * * *', '0 * * * *'),
      fc.integer({ min: 0, max: 300_000 }),
      fc.array(fc.integer({ min: 0, max: 50_000 }), { minLength: 1, maxLength: 60 }),
      (cron, jitterMs, pauses) => {
        let state = clockwork({ cron, jitterMs, nextTickMs: undefined, planFromMs: noon });
        let now = noon;
        const seen: number[] = [];
        for (const pause of pauses) {
          now += pause;
          const plan = planSchedule(state, now);
          seen.push(...plan.ticks.map(({ atMs }) => atMs));
          state = {
            ...state,
            nextTickMs: plan.nextTickMs,
            lastTickMs: plan.ticks.at(-1)?.atMs ?? state.lastTickMs,
          };
        }
        expect(seen).toEqual(nextTicksOf(state.timing, noon, seen.length));
        expect(state.nextTickMs).toBe(nextTicksOf(state.timing, noon, seen.length + 1).at(-1));
      },
    ),
  );
});
