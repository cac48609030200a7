import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Ask,
  claimMaxJobs,
  claimMaxLanes,
  emptied,
  heldMax,
  planClaim,
  prefetch,
  type QueueLoad,
} from './plan-claim.ts';

const idle = { slots: 100, held: 0, claimMs: 5 };

function load(queueId: number, more: Partial<QueueLoad> = {}): QueueLoad {
  return {
    queueId,
    concurrency: 10,
    held: 0,
    meanMs: undefined,
    perLane: undefined,
    lanes: [queueId],
    priority: 0,
    ...more,
  };
}

describe('queues of the same priority', () => {
  const firsts = (queues: readonly QueueLoad[], turns: number): Map<number, number> => {
    const first = new Map<number, number>();
    for (let turn = 0; turn < turns; turn += 1) {
      const [ask] = planClaim(queues, { slots: 1, held: 0, claimMs: 5 }, turn);
      if (ask !== undefined) first.set(ask.group, (first.get(ask.group) ?? 0) + 1);
    }
    return first;
  };

  test('come first as often as their weights say, where one has to wait', () => {
    const first = firsts([load(1), load(2, { weight: 3 }), load(3, { weight: 6 })], 1_000);
    for (const [queue, share] of [
      [1, 100],
      [2, 300],
      [3, 600],
    ] as const) {
      expect(Math.abs((first.get(queue) ?? 0) - share)).toBeLessThan(15);
    }
  });

  test('come first one after the other where weights are equal', () => {
    expect([...firsts([load(1, { weight: 7 }), load(2, { weight: 7 })], 100).values()]).toEqual([50, 50]);
  });

  test('do not come before those of a higher priority, whatever their weight', () => {
    expect(firsts([load(1, { priority: 1 }), load(2, { weight: 1_000 })], 100)).toEqual(new Map([[1, 100]]));
  });
});

describe('how many jobs a queue may hold ahead', () => {
  test('none before the first attempt has ended, and none when an attempt outlasts a claim', () => {
    expect(prefetch({ concurrency: 10, meanMs: undefined }, 5)).toBe(0);
    expect(prefetch({ concurrency: 10, meanMs: 6 }, 5)).toBe(0);
  });

  test('as many as its slots finish in two claims', () => {
    expect(prefetch({ concurrency: 10, meanMs: 5 }, 5)).toBe(20);
    expect(prefetch({ concurrency: 10, meanMs: 1 }, 5)).toBe(100);
  });

  test('a bounded number, however short the attempts', () => {
    expect(prefetch({ concurrency: 10_000, meanMs: 0 }, 1_000)).toBe(2 * claimMaxJobs);
  });
});

describe('the plan of a claim', () => {
  test('nothing where nothing waits, and nothing where there is no room', () => {
    expect(planClaim([], idle)).toEqual([]);
    expect(planClaim([load(1, { lanes: [] })], idle)).toEqual([]);
    expect(planClaim([load(1, { held: 10 })], idle)).toEqual([]);
    expect(planClaim([load(1)], { ...idle, held: 100 })).toEqual([]);
  });

  test('one lane is asked for as much as its queue has room', () => {
    expect(planClaim([load(1, { held: 3 })], idle)).toMatchObject([{ lane: 1, take: 7, limit: 7 }]);
  });

  test('places that are kept for steps which follow on others are not filled, nor a free slot kept empty', () => {
    // Of short attempts 100 may be ahead of ten slots.
    const short = { meanMs: 1, held: 10 };
    expect(planClaim([load(1, { ...short, kept: 40 })], { ...idle, slots: 10, held: 10 })).toMatchObject([
      { take: 60 },
    ]);
    expect(planClaim([load(1, { ...short, kept: 60 })], { ...idle, slots: 10, held: 10 })).toEqual([]);
    expect(planClaim([load(1, { meanMs: 1, kept: 30, aheadMost: 40 })], idle)).toMatchObject([{ take: 20 }]);
    expect(planClaim([load(1, { meanMs: 500, held: 9, kept: 8 })], idle)).toMatchObject([{ take: 1 }]);
  });

  test('lanes of one queue are merged under one limit', () => {
    const asks = planClaim([load(1, { lanes: [4, 5, 6] })], idle);
    expect(asks.map((ask) => ask.lane)).toEqual([4, 5, 6]);
    expect(new Set(asks.map((ask) => ask.group)).size).toBe(1);
    expect(asks.every((ask) => ask.limit === 10 && ask.take * 3 >= 10)).toBe(true);
  });

  test('of lanes that take turns, as many are asked as are expected to fill the claim', () => {
    const lanes = Array.from({ length: 300 }, (_, index) => index + 1);
    const wide = { ...idle, slots: 1_000 };
    const asked = (perLane: number | undefined): number =>
      planClaim([load(1, { concurrency: 1_000, lanes, perLane })], wide).length;
    expect(asked(undefined)).toBe(4);
    expect(asked(500)).toBe(4);
    expect(asked(10)).toBe(100);
    expect(asked(0.5)).toBe(claimMaxLanes);
  });

  test('queues take turns where a claim cannot ask them all', () => {
    const queues = Array.from({ length: 10 }, (_, index) => load(index + 1));
    const first = (turn: number): number | undefined =>
      planClaim(queues, { ...idle, slots: 20 }, turn)[0]?.lane;
    expect([first(0), first(2), first(12)]).toEqual([1, 3, 3]);
  });

  test('the queue of higher priority is asked first', () => {
    const asks = planClaim([load(1), load(2, { priority: 5 })], { ...idle, slots: 10 });
    expect(asks[0]?.lane).toBe(2);
  });

  const loads = fc.array(
    fc.record({
      queueId: fc.nat({ max: 30 }),
      concurrency: fc.integer({ min: 1, max: 200 }),
      held: fc.nat({ max: 300 }),
      meanMs: fc.option(fc.double({ min: 0, max: 20, noNaN: true }), { nil: undefined }),
      perLane: fc.option(fc.double({ min: 0, max: 400, noNaN: true }), { nil: undefined }),
      lanes: fc.uniqueArray(fc.integer({ min: 1, max: 500 }), { maxLength: 400 }),
      priority: fc.integer({ min: -3, max: 3 }),
    }),
    { maxLength: 80 },
  );
  const worker = fc.record({
    slots: fc.integer({ min: 1, max: 2_000 }),
    held: fc.nat({ max: 2_000 }),
    claimMs: fc.double({ min: 0.1, max: 50, noNaN: true }),
  });

  test('a claim is bounded in jobs and lanes, and asks only for lanes that it was given', () => {
    const property = fc.property(loads, worker, fc.nat(), (queues, state, turn) => {
      const asks = planClaim(queues, state, turn);
      const known = new Set(queues.flatMap((queue) => queue.lanes));
      const limits = new Map(asks.map((ask) => [ask.group, ask.limit]));
      expect(asks.length).toBeLessThanOrEqual(claimMaxLanes);
      // Lanes that take turns are asked for a little more than their share.
      const most = Math.ceil((claimMaxJobs * 4) / 3) + claimMaxLanes;
      expect([...limits.values()].reduce((sum, limit) => sum + limit, 0)).toBeLessThanOrEqual(most);
      for (const ask of asks) {
        expect(ask.take).toBeGreaterThan(0);
        expect(ask.limit).toBeGreaterThan(0);
        expect(known.has(ask.lane)).toBe(true);
      }
    });
    fc.assert(property, { numRuns: 300 });
  });

  test('a worker without room is given nothing, and one with room and something that waits is', () => {
    const property = fc.property(loads, worker, (queues, state) => {
      const asks = planClaim(queues, state);
      const room = queues.some((queue) => queue.lanes.length > 0 && queue.held < queue.concurrency);
      if (state.held >= Math.max(heldMax, state.slots)) expect(asks).toEqual([]);
      else if (room && state.held < state.slots) expect(asks.length).toBeGreaterThan(0);
    });
    fc.assert(property, { numRuns: 300 });
  });
});

describe('a claim leaves lanes empty', () => {
  const ask = (lane: number, take: number, group: number, limit: number): Ask => ({
    lane,
    take,
    group,
    limit,
  });
  const merged = [ask(1, 10, 7, 15), ask(2, 10, 7, 15)];
  test.each([
    ['one that gave less than it was asked for', [ask(1, 10, 1, 10)], { 1: 9 }, [1]],
    ['one that gave nothing', [ask(1, 10, 1, 10)], {}, [1]],
    ['not one that gave all it was asked for', [ask(1, 10, 1, 10)], { 1: 10 }, []],
    ['both of a group that gave less than its limit', merged, { 1: 4, 2: 9 }, [1, 2]],
    ['none of a group of which one gave all', merged, { 1: 10, 2: 1 }, []],
    ['none of a group that was cut short by its limit', merged, { 1: 9, 2: 6 }, []],
    ['each group for itself', [ask(1, 5, 1, 5), ask(2, 5, 2, 5)], { 1: 5, 2: 1 }, [2]],
  ] as const)('%s', (_, asks, gave, lanes) => {
    const perLane = new Map(Object.entries(gave).map(([lane, jobs]) => [Number(lane), jobs]));
    expect(emptied(asks, perLane)).toEqual(lanes);
  });
});
