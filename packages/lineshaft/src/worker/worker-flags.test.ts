import { describe, expect, test } from 'vitest';
import { projectId, sleepMs, slotsAndCores, workerOptions } from './worker-flags.ts';

describe('slots and cores: each where it is not given follows from the other', () => {
  test.each([
    [{}, { slots: 100, cores: 4 }],
    [{ ncores: 3 }, { slots: 3, cores: 3 }],
    [{ concurrency: 20 }, { slots: 20, cores: 4 }],
    [{ concurrency: 2 }, { slots: 2, cores: 2 }],
    [
      { concurrency: 20, executor: 'process' },
      { slots: 20, cores: 20 },
    ],
    [
      { concurrency: 20, executor: 'thread' },
      { slots: 20, cores: 20 },
    ],
    [
      { concurrency: 20, executor: 'async' },
      { slots: 20, cores: 4 },
    ],
    [
      { concurrency: 20, ncores: 8 },
      { slots: 20, cores: 8 },
    ],
    [{ executor: 'process' }, { slots: 100, cores: 4 }],
  ] as const)('%j on four processors is %j', (flags, expected) => {
    expect(slotsAndCores(flags, 4)).toEqual(expected);
  });
});

test('names and capabilities become tags', () => {
  const options = workerOptions({ tag: ['env=production'], capability: ['gpu', 'ffmpeg'], workername: 'w1' });
  expect(options).toMatchObject({
    name: 'w1',
    tags: ['env=production', 'capability=gpu', 'capability=ffmpeg', 'workername=w1'],
  });
});

test('flags that are not given leave the defaults to the core', () => {
  expect(Object.keys(workerOptions({})).sort()).toEqual(['executorOptions', 'slots', 'tags']);
});

test('--sleep is seconds, or a duration with a unit', () => {
  expect([sleepMs('3'), sleepMs('0.5'), sleepMs('200ms')]).toEqual([3_000, 500, 200]);
  for (const wrong of ['0', '2h', 'long'])
    expect(() => sleepMs(wrong)).toThrow('--sleep must be from 10ms to 1h');
});

test('--project-id-filter is repeated, and takes ids', () => {
  expect(projectId('7', [3])).toEqual([3, 7]);
  for (const wrong of ['0', '-1', 'default', '1.5', ''])
    expect(() => projectId(wrong)).toThrow('the id of a project');
});

test('what a worker offers is passed on as it was written; the core checks it', () => {
  expect(workerOptions({ offer: { gpu: '1', memory: '16Gi' } })).toMatchObject({
    offers: { gpu: '1', memory: '16Gi' },
  });
});
