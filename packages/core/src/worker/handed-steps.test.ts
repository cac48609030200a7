import { describe, expect, test } from 'vitest';
import { makeLane, makeQueue } from '../testing/held-jobs.ts';
import { HandedSteps, type HandedStepsHost } from './handed-steps.ts';
import type { HeldJob, Lease } from './held-job.ts';
import { LaneDirectory } from './lanes.ts';
import { QueueRuntime } from './queue-runtime.ts';

const queueRow = { name: 'workflow', steps: true, concurrency: 2 };

/** A worker of steps with two slots, and what it was given. */
class Bench {
  readonly directory = new LaneDirectory({
    tags: ['*'],
    build: '1',
    offers: {},
    kinds: new Set(['one', 'two']),
    queues: undefined,
    projectIds: undefined,
  });
  runtime = new QueueRuntime(makeQueue(1, queueRow));
  row = '7';
  now = 0;
  claiming: Promise<unknown> | undefined;
  keyed = false;
  /** Attempts of other queues. */
  others = 0;
  givenBack = 0;
  readonly taken: [lease: string, jobs: readonly HeldJob[]][] = [];
  readonly steps: HandedSteps;

  constructor() {
    this.directory.setQueues([this.runtime.queue]);
    this.directory.addLanes([
      makeLane(1, 1),
      makeLane(2, 1, { kind: 'two', requirements: ['domain=d'] }),
      makeLane(3, 1, { kind: 'two' }),
    ]);
    const host: HandedStepsHost = {
      directory: this.directory,
      workerRow: () => this.row,
      runtimes: () => [this.runtime],
      held: () => this.runtime.held,
      slots: () => 2,
      underWay: () => this.claiming,
      monotonic: () => this.now,
      onClaimed: (lease: Lease, jobs: readonly HeldJob[]) => {
        for (const job of jobs) this.runtime.add(job);
        this.taken.push([lease.id, jobs]);
      },
      startJobs: () => {},
      keyedWait: () => this.keyed,
      running: () => this.runtime.running + this.others,
      giveBack: () => {
        this.givenBack += 1;
      },
    };
    this.steps = new HandedSteps(host);
  }

  give(lanes: readonly number[], worker = '7'): void {
    this.steps.take(
      { worker, lease: '70', createdMs: '5' },
      lanes.map((lane, n) => ({
        stepId: `step-${n}`,
        runId: 'run',
        input: {},
        lane,
        payload: '{}',
        rest: null,
        sinceMs: 3,
      })),
    );
  }
}

describe('a place for a step that follows on another', () => {
  test('is that of its kind, which anybody may have', () => {
    const { steps } = new Bench();
    expect([steps.offer('one', 0, true), steps.offer('two', 0, true)]).toEqual([1, 3]);
    expect(steps.offer('three', 0, true)).toBeUndefined();
    expect(steps.worker).toBe('7');
  });

  test('needs a free slot, and no claim under way that may take it', () => {
    const bench = new Bench();
    bench.claiming = Promise.resolve();
    expect(bench.steps.offer('one', 0, false)).toBeUndefined();
    bench.claiming = undefined;
    expect([1, 2, 3].map(() => bench.steps.offer('one', 0, false))).toEqual([1, 1, undefined]);
    bench.steps.leave(1);
    expect(bench.steps.offer('one', 0, false)).toBe(1);
  });

  test('may be one in memory where it comes instead of another, as long as it will not wait for long', () => {
    const bench = new Bench();
    bench.runtime.observe(1);
    // Two slots and 40 in memory, which wait for 20 ms.
    const places = Array.from({ length: 50 }, () => bench.steps.offer('one', 0, true));
    expect(places.filter((lane) => lane === 1)).toHaveLength(42);
    bench.steps.leave(42);
    bench.runtime.observe(100);
    expect(Array.from({ length: 5 }, () => bench.steps.offer('one', 0, true))).toEqual([
      1,
      1,
      undefined,
      undefined,
      undefined,
    ]);
  });

  test('is not given for ever while others wait', () => {
    const bench = new Bench();
    bench.now = 5_000;
    expect(bench.steps.offer('one', 0, true)).toBe(1);
    bench.directory.markActive([3]);
    expect(bench.steps.offer('one', 0, true)).toBeUndefined();
    expect(bench.steps.offer('one', 4_500, true)).toBe(1);
    expect(bench.steps.before).toEqual([3]);
  });

  test('is not given where its queue is paused, its kind held, or the worker stops', () => {
    const bench = new Bench();
    bench.directory.hold('one');
    expect(bench.steps.offer('one', 0, true)).toBeUndefined();
    expect(bench.steps.offer('two', 0, true)).toBe(3);
    bench.runtime.queue = makeQueue(1, { ...queueRow, state: 'paused' });
    expect(bench.steps.offer('two', 0, true)).toBeUndefined();
    bench.runtime.queue = makeQueue(1, queueRow);
    bench.steps.close();
    expect(bench.steps.offer('two', 0, true)).toBeUndefined();
    bench.give([3]);
    expect([bench.taken.length, bench.givenBack]).toEqual([1, 1]);
  });

  test('is a free slot where jobs under limits or of other queues wait, or others have all slots', () => {
    const bench = new Bench();
    bench.runtime.observe(1);
    bench.keyed = true;
    expect([1, 2, 3].map(() => bench.steps.offer('one', 0, true))).toEqual([1, 1, undefined]);
    bench.now = 5_000;
    expect(bench.steps.offer('one', 3_000, true)).toBeUndefined();
    bench.keyed = false;
    bench.others = 2;
    expect(bench.steps.offer('one', 3_000, true)).toBeUndefined();
    bench.others = 1;
    expect(bench.steps.offer('one', 3_000, true)).toBe(1);
  });

  test('that the database has refused is not offered again at once', () => {
    const bench = new Bench();
    bench.steps.offer('one', 0, true);
    bench.steps.refused([1]);
    expect([bench.steps.offer('one', 0, true), bench.steps.offer('two', 0, true)]).toEqual([undefined, 3]);
    bench.now = 1_000;
    expect(bench.steps.offer('one', 0, true)).toBe(1);
  });
});

describe('steps that are handed on', () => {
  test('are held under one lease, and know since when their runs go on here', () => {
    const bench = new Bench();
    bench.now = 9;
    bench.steps.offer('one', 3, true);
    bench.steps.offer('two', 3, true);
    bench.give([1, 3]);
    const [[lease, jobs = []] = []] = bench.taken;
    expect(lease).toBe('70');
    expect(jobs.map((job) => [job.jobId, job.kind, job.sinceMs, job.lease.takenAtMs, job.isPlain])).toEqual([
      ['step-0', 'one', 3, 9, true],
      ['step-1', 'two', 3, 9, true],
    ]);
    expect(bench.runtime.held).toBe(2);
    expect(bench.steps.offer('one', 3, false)).toBeUndefined();
  });

  test('are left to others if the worker was taken for dead meanwhile', () => {
    const bench = new Bench();
    bench.steps.offer('one', 3, true);
    bench.row = '8';
    bench.give([1]);
    expect(bench.taken).toEqual([]);
    expect(bench.steps.offer('one', 3, false)).toBe(1);
  });
});
