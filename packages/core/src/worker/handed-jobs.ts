/**
 * Jobs that this process enqueues while its worker is idle: they are the worker's as soon as they are written
 * (`enqueue_handed.sql`), without a message and a claim. The database hands a job over only where nothing waits in its queue,
 * so the order stays what it is; whether the worker may run it is known here.
 */

import type { Place, Taker, Takers } from '../queue/takers.ts';
import { HeldJob, Lease } from './held-job.ts';
import type { Lane, LaneDirectory } from './lanes.ts';
import { plainLane } from './plain-lane.ts';
import type { QueueRuntime } from './queue-runtime.ts';

export interface HandedJobsHost {
  readonly directory: LaneDirectory;
  workerRow(): string;
  runtimes(): Iterable<QueueRuntime>;
  /** The worker takes jobs and has a slot to spare. */
  idle(): boolean;
  monotonic(): number;
  /** The claim whose answer has not come yet. */
  underWay(): Promise<unknown> | undefined;
  onClaimed(lease: Lease, jobs: readonly HeldJob[]): void;
  startJobs(): void;
}

/** With more queues, and in queues with more lanes, jobs take the ordinary way. */
const queuesMax = 32;
const lanesMax = 8;

export class HandedJobs implements Taker {
  private readonly host: HandedJobsHost;
  /** Jobs that are on their way. */
  private open = 0;
  private closed = true;
  private withdraw: (() => void) | undefined;
  private whenNoneOpen: (() => void) | undefined;

  constructor(host: HandedJobsHost) {
    this.host = host;
  }

  start(takers: Takers): void {
    this.closed = false;
    this.withdraw = takers.add(this);
  }

  offer(queue: string, kind: string): Place | undefined {
    const { host } = this;
    // One at a time: each changes what there is room for.
    if (this.closed || this.open > 0 || !host.idle()) return undefined;
    const runtime = this.runtimeOf(queue);
    const lane = runtime === undefined ? undefined : this.laneOf(runtime, kind);
    if (runtime === undefined || lane === undefined) return undefined;
    const worker = host.workerRow();
    this.open += 1;
    return {
      worker,
      lane: lane.id,
      take: ({ lease, id, createdMs, payloadText }) => {
        const add = (): void => {
          this.done();
          // Taken for dead meanwhile: others have been given the job, or will be.
          if (worker !== host.workerRow()) return;
          const held = new Lease(lease, host.monotonic());
          const row = [lease, id, String(lane.id), createdMs, payloadText, null];
          host.onClaimed(held, [new HeldJob(row, held, lane, runtime)]);
          host.startJobs();
        };
        // A claim that took an earlier job out of the queue, before this one found it empty, may be answered later.
        const underWay = host.underWay();
        if (underWay === undefined) add();
        else underWay.catch(() => {}).finally(() => setImmediate(add));
      },
      leave: () => this.done(),
    };
  }

  /** Takes no more; resolves when nothing is on its way. */
  async stop(): Promise<void> {
    this.closed = true;
    this.withdraw?.();
    if (this.open > 0) await new Promise<void>((resolve) => (this.whenNoneOpen = resolve));
  }

  private runtimeOf(name: string): QueueRuntime | undefined {
    let number = 0;
    for (const runtime of this.host.runtimes()) {
      number += 1;
      if (number > queuesMax) return undefined;
      const { queue } = runtime;
      if (queue.name !== name || queue.project !== 'default') continue;
      return queue.state === 'active' && runtime.held < queue.concurrency ? runtime : undefined;
    }
    return undefined;
  }

  /** The lane of plain jobs of a kind, if this worker may run them now and nothing is known to wait in the queue. */
  private laneOf({ queue }: QueueRuntime, kind: string): Lane | undefined {
    const { directory } = this.host;
    if (directory.activeOf(queue.id).size > 0 || directory.isHeld(kind)) return undefined;
    const lanes = directory.lanesOf(queue.id);
    if (lanes.length > lanesMax) return undefined;
    return plainLane(directory, queue.id, kind);
  }

  private done(): void {
    this.open -= 1;
    if (this.open === 0) this.whenNoneOpen?.();
  }
}
