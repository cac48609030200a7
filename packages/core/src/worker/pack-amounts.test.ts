import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Amounts, takeAmounts, timesFitting } from '../domain/amounts.ts';
import { type PackedLane, packAmounts, packedLanesMax, type Room } from './pack-amounts.ts';

const reserveAfterMs = 5_000;

function lane(id: number, needs: Amounts, more: Partial<PackedLane> = {}): PackedLane {
  return {
    ...{ lane: id, queueId: 1, queuePriority: 0, priority: 0, needs },
    ...{ servedAtMs: 0, passedOverSinceMs: undefined, ...more },
  };
}

function room(free: Amounts, more: Partial<Room> = {}): Room {
  return {
    free,
    slots: 100,
    queues: new Map([
      [1, 100],
      [2, 100],
    ]),
    ...more,
  };
}

function takesOf(lanes: readonly PackedLane[], has: Room, now = 100_000): Record<number, number> {
  const { takes } = packAmounts(lanes, has, now, reserveAfterMs);
  return Object.fromEntries(takes.map(({ lane: id, take }) => [id, take]));
}

describe('how many jobs of a lane are asked for', () => {
  test('as many as fit into what is free', () => {
    expect(takesOf([lane(1, { gpu: 2 })], room({ gpu: 5 }))).toEqual({ 1: 2 });
    expect(takesOf([lane(1, { gpu: 1, memory: 4 })], room({ gpu: 5, memory: 9 }))).toEqual({ 1: 2 });
    expect(takesOf([lane(1, { gpu: 1 })], room({}))).toEqual({});
  });

  test('no more than the worker and the queue have room for', () => {
    expect(takesOf([lane(1, { gpu: 1 })], room({ gpu: 9 }, { slots: 4 }))).toEqual({ 1: 4 });
    expect(takesOf([lane(1, { gpu: 1 })], room({ gpu: 9 }, { queues: new Map([[1, 3]]) }))).toEqual({ 1: 3 });
    expect(takesOf([lane(1, { gpu: 1 })], room({ gpu: 9 }, { slots: -5 }))).toEqual({});
    expect(takesOf([lane(1, {})], room({}, { slots: 7 }))).toEqual({ 1: 7 });
  });

  test('lanes of one priority share what is free, those of different amounts do not disturb each other', () => {
    const lanes = [lane(1, { gpu: 1 }), lane(2, { gpu: 1 }), lane(3, { licence: 1 })];
    expect(takesOf(lanes, room({ gpu: 5, licence: 1 }))).toEqual({ 1: 3, 2: 2, 3: 1 });
  });

  test('the queue of higher priority is first, then the lane of higher priority, then who waited longest', () => {
    const scarce = room({ gpu: 1 });
    expect(
      takesOf([lane(1, { gpu: 1 }), lane(2, { gpu: 1 }, { queuePriority: 1, queueId: 2 })], scarce),
    ).toEqual({
      2: 1,
    });
    expect(takesOf([lane(1, { gpu: 1 }), lane(2, { gpu: 1 }, { priority: 1 })], scarce)).toEqual({ 2: 1 });
    expect(
      takesOf([lane(1, { gpu: 1 }, { servedAtMs: 9 }), lane(2, { gpu: 1 }, { servedAtMs: 8 })], scarce),
    ).toEqual({
      2: 1,
    });
  });
});

describe('a big job behind an endless stream of small ones', () => {
  const small = lane(1, { gpu: 1 });
  const big = lane(2, { gpu: 4, memory: 1 });

  test('is passed over at first, and the small ones go on', () => {
    const packing = packAmounts([small, big], room({ gpu: 3, memory: 2 }), 100_000, reserveAfterMs);
    expect(packing).toMatchObject({ takes: [{ lane: 1 }], passedOver: [2], reservedFor: undefined });
    const young = { ...big, passedOverSinceMs: 95_001 };
    expect(takesOf([small, young], room({ gpu: 3, memory: 2 }))).toEqual({ 1: 2 });
  });

  test('after a while keeps what it needs of what is freed, and nothing else', () => {
    const starved = { ...big, passedOverSinceMs: 95_000 };
    const other = lane(3, { memory: 1 });
    const packing = packAmounts(
      [small, starved, other],
      room({ gpu: 3, memory: 2 }),
      100_000,
      reserveAfterMs,
    );
    expect(packing.reservedFor).toBe(2);
    expect(packing.takes).toEqual([{ lane: 3, queueId: 1, take: 1 }]);
    expect(takesOf([small, starved], room({ gpu: 4, memory: 2 }))).toEqual({ 2: 1 });
  });

  test('leaves the others what it does not need', () => {
    const starved = { ...big, passedOverSinceMs: 1 };
    expect(takesOf([small, starved], room({ gpu: 6, memory: 0 }))).toEqual({ 1: 2 });
  });

  test('keeps nothing from jobs of a higher priority', () => {
    const starved = { ...big, passedOverSinceMs: 1 };
    const urgent = { ...small, priority: 5 };
    expect(takesOf([urgent, starved], room({ gpu: 3, memory: 2 }))).toEqual({ 1: 3 });
  });

  test('of two that starve, the one that waits longer is first and the other keeps nothing from it', () => {
    const first = lane(2, { gpu: 4 }, { passedOverSinceMs: 1 });
    const second = lane(3, { gpu: 3 }, { passedOverSinceMs: 2 });
    expect(takesOf([small, second, first], room({ gpu: 3 }))).toEqual({});
    expect(takesOf([small, second, first], room({ gpu: 4 }))).toEqual({ 2: 1 });
  });

  test('gets its turn within a bounded time, whatever the small ones do', () => {
    let free: Amounts = { gpu: 4 };
    let since: number | undefined;
    const running: { needs: Amounts; endMs: number }[] = [];
    let startedMs: number | undefined;
    for (let now = 0; now < 60_000 && startedMs === undefined; now += 100) {
      for (const job of running.splice(0)) {
        if (job.endMs > now) running.push(job);
        else free = takeAmounts(free, job.needs, -1);
      }
      const lanes = [small, { ...lane(2, { gpu: 4 }), passedOverSinceMs: since }];
      const { takes, passedOver } = packAmounts(lanes, room(free), now, reserveAfterMs);
      if (passedOver.includes(2)) since ??= now;
      for (const { lane: id, take } of takes) {
        if (id === 2) startedMs = now;
        for (let n = 0; n < take; n += 1) running.push({ needs: small.needs, endMs: now + 1_000 + 250 * n });
        free = takeAmounts(free, small.needs, take);
      }
      if (now === 0) since ??= now;
    }
    expect(startedMs).toBeDefined();
    expect(startedMs).toBeLessThanOrEqual(reserveAfterMs + 2_000);
  });
});

test('whatever waits: never more than is free, than a queue or than the worker has room for', () => {
  const amounts = fc.dictionary(fc.constantFrom('gpu', 'memory', 'licence'), fc.integer({ min: 1, max: 9 }));
  const lanes = fc.uniqueArray(
    fc.record({
      lane: fc.nat({ max: 99 }),
      queueId: fc.integer({ min: 1, max: 3 }),
      queuePriority: fc.integer({ min: 0, max: 1 }),
      priority: fc.integer({ min: 0, max: 1 }),
      needs: amounts,
      servedAtMs: fc.nat({ max: 50 }),
      passedOverSinceMs: fc.option(fc.nat({ max: 10_000 }), { nil: undefined }),
    }),
    { selector: ({ lane: id }) => id, maxLength: 50 },
  );
  const property = fc.property(
    ...[lanes, amounts, fc.integer({ min: -3, max: 40 }), fc.integer({ min: -2, max: 9 })],
    (waiting, free, slots, ofQueue) => {
      const queues = new Map([1, 2, 3].map((id) => [id, ofQueue]));
      const { takes } = packAmounts(waiting, { free, slots, queues }, 10_000, reserveAfterMs);
      let left: Amounts = free;
      for (const { lane: id, take } of takes) {
        expect(take).toBeGreaterThan(0);
        left = takeAmounts(left, waiting.find((one) => one.lane === id)?.needs ?? {}, take);
      }
      expect(Object.values(left).every((amount) => amount >= 0)).toBe(true);
      expect(takes.length).toBeLessThanOrEqual(packedLanesMax);
      expect(takes.reduce((sum, { take }) => sum + take, 0)).toBeLessThanOrEqual(Math.max(slots, 0));
      for (const id of queues.keys()) {
        const taken = takes.filter(({ queueId }) => queueId === id).reduce((sum, { take }) => sum + take, 0);
        expect(taken).toBeLessThanOrEqual(Math.max(ofQueue, 0));
      }
      // With room everywhere and nobody to keep for, something that fits is asked for.
      const calm = waiting.every(({ passedOverSinceMs }) => passedOverSinceMs === undefined);
      if (calm && slots > 0 && ofQueue > 0 && waiting.some(({ needs }) => timesFitting(needs, free) >= 1))
        expect(takes.length).toBeGreaterThan(0);
    },
  );
  fc.assert(property, { numRuns: 500 });
});
