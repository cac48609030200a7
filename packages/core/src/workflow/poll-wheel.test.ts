import { expect, test } from 'vitest';
import { stillClock } from '../testing/still-clock.ts';
import { type Timed, Wheel } from './poll-wheel.ts';

interface Item extends Timed {
  readonly name: string;
  dueMs?: number;
}

function wheelOf() {
  const clock = stillClock();
  /** How many came due together, each time. */
  const turns: number[] = [];
  const wheel = new Wheel<Item>(clock, (items) => {
    turns.push(items.size);
    for (const item of items) item.dueMs = clock.monotonic();
  });
  const add = (name: string, inMs: number): Item => {
    const item: Item = { name, slot: -1 };
    wheel.add(item, inMs);
    return item;
  };
  return { clock, turns, wheel, add };
}

test.each([1, 19, 100, 1_999, 2_000, 5_000, 60_000, 3_600_000])(
  'what waits for %s ms comes due never before, and at most 20 ms or a hundredth late',
  async (inMs) => {
    const { clock, add } = wheelOf();
    await clock.pass(13);
    const item = add('it', inMs);
    const late = Math.max(20, inMs / 100);
    await clock.pass(inMs - 1);
    expect(item.dueMs).toBeUndefined();
    while (item.dueMs === undefined) await clock.pass(1);
    expect(item.dueMs).toBeGreaterThanOrEqual(13 + inMs);
    expect(item.dueMs).toBeLessThanOrEqual(13 + inMs + late);
    expect(item.slot).toBe(-1);
  },
);

test('what was taken out does not come due, and may be put in again', async () => {
  const { clock, wheel, add, turns } = wheelOf();
  const [gone, stays] = [add('gone', 100), add('stays', 100)];
  wheel.remove(gone);
  wheel.remove(gone);
  await clock.pass(120);
  expect([gone.dueMs, stays.dueMs]).toEqual([undefined, 120]);
  wheel.add(gone, 50);
  await clock.pass(60);
  expect(gone.dueMs).toBe(180);
  expect(turns).toEqual([1, 1]);
});

test('long waits that begin one after the other end together', async () => {
  const { clock, add, turns } = wheelOf();
  for (let n = 0; n < 1_000; n += 1) {
    add(`${n}`, 60_000);
    await clock.pass(5);
  }
  for (let n = 0; n < 6_100; n += 1) await clock.pass(10);
  expect(turns.reduce((sum, size) => sum + size, 0)).toBe(1_000);
  expect(turns.length).toBeLessThan(20);
});

test('nothing comes due after the end', async () => {
  const { clock, wheel, add } = wheelOf();
  const item = add('it', 50);
  wheel.stop();
  await clock.pass(1_000);
  expect(item.dueMs).toBeUndefined();
  expect(clock.pauses()).toEqual([]);
});
