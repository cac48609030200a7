import { describe, expect, test } from 'vitest';
import { makeLane, makeQueue } from '../testing/held-jobs.ts';
import { type Eligibility, LaneDirectory, servesLane, servesQueue } from './lanes.ts';

const worker: Eligibility = {
  tags: ['*', 'role=mail', 'gpu=a100'],
  build: '1.5.0',
  offers: { gpu: 2 },
  kinds: new Set(['one', 'two']),
  queues: undefined,
  projectIds: undefined,
};

describe('whether a worker serves a queue', () => {
  test('by its tags, where it names no queues', () => {
    expect(servesQueue(makeQueue(1), worker)).toBe(true);
    expect(servesQueue(makeQueue(1, { tags: ['role=mail'] }), worker)).toBe(true);
    expect(servesQueue(makeQueue(1, { tags: ['role=web'] }), worker)).toBe(false);
  });

  test('by name or slug, where it names queues', () => {
    const named = { ...worker, queues: new Set(['q1', '1-q2']) };
    expect([1, 2, 3].map((id) => servesQueue(makeQueue(id), named))).toEqual([true, true, false]);
  });

  test('only in its projects, where it names projects', () => {
    const projects = { ...worker, projectIds: new Set([2]) };
    expect(servesQueue(makeQueue(1), projects)).toBe(false);
    expect(servesQueue(makeQueue(1, { project_id: 2 }), projects)).toBe(true);
  });
});

describe('whether a worker serves a lane', () => {
  test('if it knows the kind, has the tags and its build is allowed', () => {
    expect(servesLane(makeLane(1, 1), worker)).toBe(true);
    expect(servesLane(makeLane(1, 1, { kind: 'three' }), worker)).toBe(false);
    expect(servesLane(makeLane(1, 1, { requirements: ['gpu=*', 'role=mail'] }), worker)).toBe(true);
    expect(servesLane(makeLane(1, 1, { requirements: ['gpu=*', 'role=web'] }), worker)).toBe(false);
    expect(servesLane(makeLane(1, 1, { pin: 'min', build: '1.4.0' }), worker)).toBe(true);
    expect(servesLane(makeLane(1, 1, { pin: 'min', build: '1.6.0' }), worker)).toBe(false);
    expect(servesLane(makeLane(1, 1, { pin: 'exact', build: '1.4.0' }), worker)).toBe(false);
  });
});

describe('the directory of lanes', () => {
  function directory(): LaneDirectory {
    const made = new LaneDirectory(worker);
    made.setQueues([makeQueue(1), makeQueue(2), makeQueue(3, { tags: ['role=web'] })]);
    made.addLanes([makeLane(1, 1), makeLane(2, 1, { kind: 'three' }), makeLane(3, 2), makeLane(4, 3)]);
    return made;
  }

  test('remembers which of the lanes that it may serve hold jobs', () => {
    const lanes = directory();
    expect(lanes.markActive([1, 2, 3, 4]).unknown).toBe(false);
    expect([...lanes.activeOf(1).keys()]).toEqual([1]);
    expect([...lanes.activeOf(2).keys()]).toEqual([3]);
    expect([...lanes.activeOf(3).keys()]).toEqual([]);
    lanes.markEmpty(1);
    expect(lanes.activeOf(1).size).toBe(0);
  });

  test('says that a lane is unknown, so that it can be loaded', () => {
    expect(directory().markActive([1, 9]).unknown).toBe(true);
  });

  test('remembers kinds that wait and that the worker does not know, of the queues that it serves', () => {
    const lanes = directory();
    lanes.addLanes([makeLane(5, 3, { kind: 'four' })]);
    lanes.markActive([1, 2, 4, 5]);
    expect([...lanes.unknownKinds]).toEqual(['three']);
  });

  test('finds nothing amiss in steps of runs that it does not know: others poll for them', () => {
    const lanes = directory();
    lanes.setQueues([{ ...makeQueue(1), steps: true }]);
    lanes.addLanes([makeLane(6, 1, { kind: 'five' })]);
    lanes.markActive([6]);
    expect([...lanes.unknownKinds]).toEqual([]);
  });

  test('lanes take turns: the highest priority first, then what was not asked for the longest time', () => {
    const lanes = directory();
    lanes.addLanes([makeLane(6, 1), makeLane(7, 1)]);
    lanes.markActive([1, 6, 7], [0, 5, 0]);
    expect(lanes.inTurn(1, 3)).toEqual([6, 1, 7]);
    lanes.markAsked(1);
    expect(lanes.inTurn(1, 3)).toEqual([6, 7, 1]);
    expect(lanes.inTurn(1, 2)).toEqual([6, 7]);
    lanes.markEmpty(6);
    expect(lanes.inTurn(1, 2)).toEqual([7, 1]);
  });

  test('forgets the lanes of a queue that the worker serves no more, and finds them again', () => {
    const lanes = directory();
    lanes.markActive([1, 3]);
    lanes.setQueues([makeQueue(2)]);
    expect(lanes.activeOf(1).size).toBe(0);
    expect(lanes.lanesOf(1)).toEqual([]);
    expect(lanes.activeOf(2).size).toBe(1);
    lanes.setQueues([makeQueue(1), makeQueue(2)]);
    expect(lanes.lanesOf(1).map((lane) => lane.id)).toEqual([1]);
  });
});
