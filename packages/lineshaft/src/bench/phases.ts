/**
 * What the bench measures. Every phase has a limit of time, so that the whole stays under a minute anywhere.
 */

import type { Lineshaft } from '@lineshaft/core';
import type { Progress } from '../output/progress.ts';

/** How many jobs in which time. */
export interface Rate {
  readonly jobs: number;
  readonly seconds: number;
  readonly jobsPerSecond: number;
}

export interface Latency {
  readonly jobs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

const inFlight = 24;
const singleCallsMost = 5_000;
const bulkSize = 5_000;
const latencyJobsMost = 1_000;
const enqueueLimitMs = 8_000;
const drainLimitMs = 20_000;
const latencyLimitMs = 8_000;
const queue = 'bench';
const payload = { to: 'ada@example.org', text: 'x'.repeat(240) };

/** Single calls, with as many in flight as a busy server has. */
export async function enqueueOneByOne(
  lineshaft: Lineshaft,
  jobs: number,
  progress: Progress,
  signal: AbortSignal,
): Promise<Rate> {
  await lineshaft.declare({ name: queue });
  const calls = Math.min(jobs, singleCallsMost);
  progress.next('enqueue, one by one', calls);
  const startedMs = performance.now();
  let begun = 0;
  let done = 0;
  const caller = async (): Promise<void> => {
    while (begun < calls && performance.now() - startedMs < enqueueLimitMs) {
      signal.throwIfAborted();
      begun += 1;
      await lineshaft.enqueue('bench', payload, { queue });
      done += 1;
      progress.update(done);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  return rateOf(done, startedMs);
}

/** Calls with thousands of jobs each. */
export async function enqueueInBulk(
  lineshaft: Lineshaft,
  jobs: number,
  progress: Progress,
  signal: AbortSignal,
): Promise<Rate> {
  progress.next('enqueue, in bulk', jobs);
  const startedMs = performance.now();
  let done = 0;
  while (done < jobs && performance.now() - startedMs < enqueueLimitMs) {
    signal.throwIfAborted();
    const count = Math.min(bulkSize, jobs - done);
    await lineshaft.enqueueMany(Array.from({ length: count }, () => ({ kind: 'bench', payload, queue })));
    done += count;
    progress.update(done);
  }
  return rateOf(done, startedMs);
}

/** One worker with a handler that does nothing, until all jobs are done or time is up. */
export async function drain(
  lineshaft: Lineshaft,
  jobs: number,
  progress: Progress,
  signal: AbortSignal,
): Promise<Rate> {
  progress.next('drain, one worker', jobs);
  let done = 0;
  const finished = Promise.withResolvers<void>();
  const worker = lineshaft.worker({ handlers: { bench: () => undefined }, queues: [queue], signals: false });
  worker.on('finished', (batch) => {
    done += batch.jobs.length;
    progress.update(done);
    if (done >= jobs) finished.resolve();
  });
  const timer = setTimeout(finished.resolve, drainLimitMs);
  const abort = (): void => finished.reject(signal.reason);
  signal.addEventListener('abort', abort);
  try {
    const startedMs = performance.now();
    await worker.start();
    await finished.promise;
    return rateOf(done, startedMs);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
    await worker.stop();
  }
}

/** One job after the other on an idle system: from the call of enqueue to the start of the handler. */
export async function measureLatency(
  lineshaft: Lineshaft,
  jobs: number,
  progress: Progress,
  signal: AbortSignal,
): Promise<Latency> {
  const count = Math.min(jobs, latencyJobsMost);
  progress.next('latency, one job after the other', count);
  let started = Promise.withResolvers<number>();
  const handlers = { latency: () => started.resolve(performance.now()) };
  const worker = lineshaft.worker({ handlers, queues: [queue], signals: false });
  const took: number[] = [];
  const startedMs = performance.now();
  try {
    await worker.start();
    // The first jobs find everything cold.
    for (let n = -20; n < count && performance.now() - startedMs < latencyLimitMs; n += 1) {
      signal.throwIfAborted();
      started = Promise.withResolvers<number>();
      const calledMs = performance.now();
      await lineshaft.enqueue('latency', payload, { queue });
      const latencyMs = (await started.promise) - calledMs;
      if (n >= 0) took.push(latencyMs);
      progress.update(took.length);
    }
  } finally {
    await worker.stop();
  }
  took.sort((a, b) => a - b);
  return {
    jobs: took.length,
    p50Ms: quantile(took, 0.5),
    p95Ms: quantile(took, 0.95),
    p99Ms: quantile(took, 0.99),
  };
}

function rateOf(jobs: number, startedMs: number): Rate {
  const seconds = (performance.now() - startedMs) / 1_000;
  return { jobs, seconds, jobsPerSecond: jobs / seconds };
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
