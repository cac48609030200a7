import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isLineshaftError } from './errors.ts';
import type { Backoff } from './job-options.ts';
import { defaultBackoff, retryDelayMs, validateBackoff } from './retry.ts';

const hour = 3_600_000;

test.each<[string, Backoff, number[]]>([
  ['fixed', { type: 'fixed', delayMs: 500, jitter: 0 }, [500, 500, 500]],
  ['linear', { type: 'linear', delayMs: 500, jitter: 0 }, [500, 1000, 1500]],
  ['exponential', { type: 'exponential', delayMs: 1000, jitter: 0 }, [1000, 2000, 4000, 8000]],
  ['exponential by 3', { type: 'exponential', delayMs: 10, factor: 3, jitter: 0 }, [10, 30, 90]],
  ['up to a limit', { type: 'linear', delayMs: 500, limitMs: 1200, jitter: 0 }, [500, 1000, 1200, 1200]],
  ['without delay', { type: 'exponential', delayMs: 0, factor: 10, jitter: 0 }, [0, 0, 0]],
  ['longer than the default limit', { type: 'fixed', delayMs: 2 * hour, jitter: 0 }, [2 * hour]],
])('%s', (_name, backoff, delays) => {
  expect(delays.map((_, place) => retryDelayMs(backoff, place + 1, 0.5))).toEqual(delays);
});

test('the default is 1 s, 2 s, 4 s … to an hour, less up to a fifth', () => {
  expect(retryDelayMs(defaultBackoff, 1, 0)).toBe(800);
  expect(retryDelayMs(defaultBackoff, 3, 0.5)).toBe(3600);
  expect(retryDelayMs(defaultBackoff, 1_000, 0)).toBe(0.8 * hour);
});

test('full jitter is anything from nothing to the delay', () => {
  const backoff: Backoff = { type: 'fixed', delayMs: 1000, jitter: 1 };
  expect(retryDelayMs(backoff, 1, 0)).toBe(0);
  expect(retryDelayMs(backoff, 1, 0.999_999)).toBe(1000);
});

const anyBackoff: fc.Arbitrary<Backoff> = fc
  .record({
    type: fc.constantFrom('fixed' as const, 'linear' as const, 'exponential' as const),
    delayMs: fc.integer({ min: 0, max: 2_592_000_000 }),
    factor: fc.double({ min: 1, max: 10, noNaN: true }),
    room: fc.integer({ min: 0, max: 1_000_000 }),
    jitter: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ type, delayMs, factor, room, jitter }) => ({
    type,
    delayMs,
    ...(type === 'exponential' ? { factor } : {}),
    limitMs: Math.min(delayMs + room, 2_592_000_000),
    jitter,
  }));

test('a delay is whole, never above the limit, and never below its share without jitter', () => {
  const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(anyBackoff, fc.integer({ min: 1, max: 1000 }), chance, (backoff, attempt, random) => {
      const delay = retryDelayMs(backoff, attempt, random);
      expect(Number.isInteger(delay)).toBe(true);
      expect(delay).toBeLessThanOrEqual(backoff.limitMs ?? 0);
      expect(delay).toBeGreaterThanOrEqual(Math.floor(backoff.delayMs * (1 - (backoff.jitter ?? 0))));
    }),
  );
});

test('without jitter, a later attempt never waits less', () => {
  fc.assert(
    fc.property(anyBackoff, fc.integer({ min: 1, max: 999 }), (backoff, attempt) => {
      const steady = { ...backoff, jitter: 0 };
      expect(retryDelayMs(steady, attempt + 1, 0)).toBeGreaterThanOrEqual(retryDelayMs(steady, attempt, 0));
    }),
  );
});

test('every back-off within the ranges is accepted as it is', () => {
  fc.assert(
    fc.property(anyBackoff, (backoff) => {
      expect(validateBackoff(backoff, 'backoff')).toEqual(backoff);
    }),
  );
});

test.each([
  [5, 'backoff must be an object, not 5'],
  [{ type: 'exponental', delayMs: 1 }, "did you mean 'exponential'?"],
  [{ type: 'fixed' }, 'backoff.delayMs must be a whole number from 0 to 2592000000, not undefined'],
  [
    { type: 'fixed', delayMs: '1000' },
    "backoff.delayMs must be a whole number from 0 to 2592000000, not '1000'",
  ],
  [{ type: 'fixed', delayMs: 1, factor: 2 }, "backoff.factor must be left out with type 'fixed', not 2"],
  [{ type: 'exponential', delayMs: 1, factor: 0.5 }, 'backoff.factor must be a number from 1 to 10, not 0.5'],
  [{ type: 'fixed', delayMs: 10, limitMs: 5 }, 'backoff.limitMs must be a whole number from 10 to'],
  [
    { type: 'fixed', delayMs: 10, jitter: Number.NaN },
    'backoff.jitter must be a number from 0 to 1, not NaN',
  ],
])('%j is refused: %s', (backoff, message) => {
  expect(() => validateBackoff(backoff, 'backoff')).toThrow(message);
});

test('a field that does not exist is refused with the one that was meant', () => {
  try {
    validateBackoff({ type: 'fixed', delay: 5 }, 'backoff');
    expect.unreachable();
  } catch (error) {
    expect(isLineshaftError(error, 'OPTION_UNKNOWN')).toBe(true);
    expect(String(error)).toContain("there is no option 'backoff.delay'; did you mean 'backoff.delayMs'?");
  }
});
