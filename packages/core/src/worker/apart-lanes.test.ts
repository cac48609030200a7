import { describe, expect, test } from 'vitest';
import { makeHeldJob, makeLane, makeLease, makeQueue, makeRuntime } from '../testing/held-jobs.ts';
import { ApartLanes } from './apart-lanes.ts';
import { LaneDirectory } from './lanes.ts';
import type { QueueLoad, WorkerLoad } from './plan-claim.ts';

function setUp(offers = { gpu: 4 }) {
  const directory = new LaneDirectory({
    ...{
      tags: ['*'],
      build: '1.0.0',
      offers,
      kinds: new Set(['one']),
      queues: undefined,
      projectIds: undefined,
    },
  });
  directory.setQueues([makeQueue(1), makeQueue(2)]);
  directory.addLanes([
    makeLane(1, 1, { wants: { needs: { gpu: 1 } } }),
    makeLane(2, 1),
    makeLane(3, 1, { wants: { prefers: ['disk=ssd'], preferMs: 1_000 } }),
    makeLane(4, 1, { wants: { needs: { gpu: 5 } } }),
  ]);
  return { directory, apart: new ApartLanes({ directory, offers, reserveAfterMs: 5_000 }) };
}

const load: QueueLoad = {
  ...{ queueId: 1, concurrency: 10, held: 0, meanMs: undefined, perLane: undefined, lanes: [], priority: 0 },
};
const idle: WorkerLoad = { slots: 20, held: 0, claimMs: 5 };

describe('the lanes that are asked apart', () => {
  test('are those whose jobs need amounts that the worker offers, or prefer others', () => {
    const { directory, apart } = setUp();
    directory.markActive([1, 2, 3, 4]);
    expect([...directory.activeOf(1).keys()]).toEqual([2]);
    const { asks, left } = apart.plan([load], idle, 0);
    expect(asks.map(({ lane }) => lane)).toEqual([1]);
    expect(left.map(({ lane }) => lane)).toEqual([3]);
  });

  test('get no slot that a job of another queue has, even if nothing of that queue waits', () => {
    const { directory, apart } = setUp();
    directory.markActive([1]);
    expect(apart.plan([load], { ...idle, held: 20 }, 0).asks).toEqual([]);
    expect(apart.plan([load], { ...idle, held: 19 }, 0).asks).toMatchObject([{ lane: 1, take: 1 }]);
  });

  test('are not kept out by jobs that are claimed ahead because they are short', () => {
    const { directory, apart } = setUp();
    directory.markActive([1]);
    const short = { ...load, queueId: 2, held: 500, meanMs: 0.1, lanes: [9] };
    expect(apart.plan([load, short], { ...idle, held: 500 }, 0).asks).toMatchObject([{ lane: 1, take: 4 }]);
  });

  test('have what is not held: a job holds its amounts until it has ended, once', () => {
    const { directory, apart } = setUp();
    directory.markActive([1]);
    const job = makeHeldJob(makeLease(), makeRuntime());
    apart.hold(job, { gpu: 3 });
    expect(apart.freeAmounts).toEqual({ gpu: 1 });
    expect(apart.plan([load], idle, 0).asks).toMatchObject([{ take: 1 }]);
    job.end();
    job.end();
    expect(apart.freeAmounts).toEqual({ gpu: 4 });
  });

  test('take turns with the other lanes of their queue, unless one has the higher priority', () => {
    const { directory, apart } = setUp();
    directory.markActive([1, 2]);
    const both = { ...load, lanes: [2] };
    const turns = [1, 2, 3, 4].map(() => {
      const { asks, loads } = apart.plan([both], idle, 0);
      return [asks.length, loads.length];
    });
    expect(turns.filter(([apartAsks]) => apartAsks === 1)).toEqual([
      [1, 0],
      [1, 0],
    ]);
    expect(turns.filter(([apartAsks]) => apartAsks === 0)).toEqual([
      [0, 1],
      [0, 1],
    ]);
    directory.markActive([1], [5]);
    expect([1, 2].map(() => apart.plan([both], idle, 0).asks.length)).toEqual([1, 1]);
    directory.markActive([2], [9]);
    expect([1, 2].map(() => apart.plan([both], idle, 0).asks.length)).toEqual([0, 0]);
  });

  test('what is left to others is asked again when its time has come', () => {
    const { directory, apart } = setUp();
    directory.markActive([3]);
    const lane = directory.apartLane(3);
    if (lane === undefined) throw new Error('lane 3 is asked apart');
    lane.askAtMs = 700;
    expect(apart.plan([load], idle, 600).left).toEqual([]);
    expect(apart.waitMs(600)).toBe(100);
    expect(apart.plan([load], idle, 700).left).toMatchObject([{ lane: 3 }]);
    expect(apart.waitMs(700)).toBe(Number.POSITIVE_INFINITY);
  });
});
