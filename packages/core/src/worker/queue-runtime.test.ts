import { describe, expect, test } from 'vitest';
import { makeHeldJob, makeLease, makeRuntime } from '../testing/held-jobs.ts';

describe('the jobs of a queue in the memory of its worker', () => {
  test('are taken in the order in which they were added', () => {
    const runtime = makeRuntime();
    const lease = makeLease();
    const jobs = Array.from({ length: 1_000 }, () => makeHeldJob(lease, runtime));
    for (const job of jobs) runtime.add(job);
    expect(runtime.waitingCount).toBe(1_000);
    expect(jobs.map(() => runtime.take())).toEqual(jobs);
    expect(runtime.take()).toBeUndefined();
    expect(runtime.held).toBe(0);
  });

  test('are passed over when they were cancelled meanwhile', () => {
    const runtime = makeRuntime();
    const lease = makeLease();
    const [first, second, third] = [
      makeHeldJob(lease, runtime),
      makeHeldJob(lease, runtime),
      makeHeldJob(lease, runtime),
    ];
    for (const job of [first, second, third]) runtime.add(job);
    first.state = 'ended';
    expect(runtime.take()).toBe(second);
    third.state = 'ended';
    expect(runtime.takeAll()).toEqual([]);
    expect(runtime.waitingCount).toBe(0);
  });

  test('know since when the oldest of them waits', () => {
    const runtime = makeRuntime();
    expect(runtime.waitingSinceMs).toBeUndefined();
    runtime.add(makeHeldJob(makeLease('1', 70), runtime));
    runtime.add(makeHeldJob(makeLease('2', 90), runtime));
    expect(runtime.waitingSinceMs).toBe(70);
    runtime.take();
    expect(runtime.waitingSinceMs).toBe(90);
  });
});

describe('how long attempts of a queue take', () => {
  test('is not known before the first has ended', () => {
    expect(makeRuntime().meanMs).toBeUndefined();
  });

  test('one slow attempt counts at once, and many fast ones make up for it', () => {
    const runtime = makeRuntime();
    for (let n = 0; n < 10; n += 1) runtime.observe(1);
    expect(runtime.meanMs).toBe(1);
    runtime.observe(1_000);
    expect(runtime.meanMs).toBe(1_000);
    for (let n = 0; n < 300; n += 1) runtime.observe(1);
    expect(runtime.meanMs).toBeLessThan(2);
  });
});
