import { describe, expect, test } from 'vitest';
import { settled, stillClock } from '../testing/still-clock.ts';
import { Loop } from './service.ts';

function counting(results: readonly (number | Error)[], more: { errorPauseMaxMs?: number } = {}) {
  const clock = stillClock();
  const told: string[] = [];
  let rounds = 0;
  const loop = new Loop({
    name: 'test',
    clock,
    ...more,
    async round() {
      const result = results[Math.min(rounds, results.length - 1)] ?? 0;
      rounds += 1;
      if (result instanceof Error) throw result;
      return result;
    },
    onError: (name, error) => told.push(`${name}: ${(error as Error).message}`),
    onRecovered: (name) => told.push(`${name} recovered`),
  });
  return { clock, told, loop, rounds: () => rounds };
}

describe('a background loop', () => {
  test('does a round, sleeps as long as the round says, and does the next', async () => {
    const { clock, loop, rounds } = counting([100]);
    loop.start();
    loop.start();
    await settled();
    expect(rounds()).toBe(1);
    await clock.pass(99);
    expect(rounds()).toBe(1);
    await clock.pass(1);
    expect(rounds()).toBe(2);
    await loop.stop();
    await clock.pass(1_000);
    expect(rounds()).toBe(2);
  });

  test('is woken from its sleep, and by a wake during a round does not sleep at all', async () => {
    const { loop, rounds } = counting([60_000]);
    loop.start();
    loop.wake();
    await settled();
    expect(rounds()).toBe(2);
    loop.wake();
    await settled();
    expect(rounds()).toBe(3);
    await loop.stop();
  });

  test('tells of trouble once, tries again with growing pauses, and tells when it is over', async () => {
    const { clock, told, loop } = counting([new Error('away'), new Error('away'), new Error('away'), 10]);
    loop.start();
    await settled();
    const pauses: number[] = [];
    for (let n = 0; n < 3; n += 1) {
      pauses.push(...clock.pauses());
      await clock.pass(clock.pauses()[0] ?? 0);
    }
    expect(pauses).toEqual([200, 400, 800]);
    expect(told).toEqual(['test: away', 'test recovered']);
    await loop.stop();
  });

  test('never pauses longer after errors than it was told', async () => {
    const { clock, loop } = counting([new Error('away')], { errorPauseMaxMs: 300 });
    loop.start();
    await settled();
    for (let n = 0; n < 5; n += 1) await clock.pass(clock.pauses()[0] ?? 0);
    expect(clock.pauses()).toEqual([300]);
    await loop.stop();
  });

  test('may be stopped before it was started, and as often as one likes', async () => {
    const { loop, rounds } = counting([1]);
    await loop.stop();
    await loop.stop();
    loop.start();
    await settled();
    expect(rounds()).toBe(0);
  });
});
