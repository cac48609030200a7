/** `queue.steady`: 1,000 jobs a second for 30 s, one call each, made when due whatever became of the last. */
import { performance } from 'node:perf_hooks';
import { Agent } from '../agent-handle.ts';
import { alternate, type Metrics, type Series } from '../alternate.ts';
import type { Bench, Context, Seat } from '../context.ts';
import { treeCpuSeconds, treePeakMegabytes } from '../cpu.ts';
import { percentiles } from '../statistics.ts';
import type { OpenStore } from '../stores.ts';

const SYSTEMS = [
  'lineshaft',
  'graphile-worker',
  'pg-boss',
  'bullmq',
  'bullmq-always',
  'bullmq-postgres',
  'raw-coalesced',
];
const JOBS_PER_SECOND = 1_000;
/** Who has not finished this long after the last call was due has not kept up. */
const GRACE_MS = 2_000;
const WARM_UP_JOBS = 1_000;

export const steady: Bench = {
  name: 'queue.steady',
  about: '1,000 jobs/s for 30 s, open loop: latency, CPU seconds of worker and database',
  variants: ['main'],
  systems: SYSTEMS,
  run: async (context) => {
    const seconds = Math.max(1, Math.round(context.jobs(30_000, 3_000) / JOBS_PER_SECOND));
    const contestants = context.contestants(SYSTEMS, 'steady', (seat) =>
      measureSteady(context, seat, seconds),
    );
    const series = await alternate(contestants, context.rounds(5), context.report);
    const behind = new Set(series.filter(fellBehind).map((each) => each.system));
    if (behind.size > 0) context.report.line(`did not keep up, so no ratios: ${[...behind].join(', ')}`);
    const told = series.map((each) => ({ ...each, rounds: each.rounds.map(withoutMark) }));
    context.report.variant({ variant: 'main', series: told, primary: 'p99_ms', withoutRatio: behind });
  },
};

async function measureSteady(context: Context, seat: Seat, seconds: number): Promise<Metrics> {
  const store = await context.stores.open(seat.system);
  const producer = await context.agent(seat, store);
  const worker = await context.agent(seat, store);
  try {
    await producer.call('prepare', {});
    await producer.call('openProducer', {});
    await worker.call('openWorker', {});
    await worker.call('startWorker', {});
    await producer.call('oneByOne', { from: 0, jobs: WARM_UP_JOBS, inFlight: 24 });
    await producer.call('waitEmpty', { timeoutMs: 60_000 });
    await worker.call('stopWorker', {});
    await worker.call('openWorker', {});
    await store.settle();
    await worker.call('startWorker', {});
    return await timeSteady(context, { producer, worker, store }, seconds);
  } finally {
    await Promise.all([producer.end(), worker.end()]);
    await store.drop();
  }
}

interface Running {
  readonly producer: Agent;
  readonly worker: Agent;
  readonly store: OpenStore;
}

async function timeSteady(context: Context, running: Running, seconds: number): Promise<Metrics> {
  const { producer, worker, store } = running;
  const jobs = seconds * JOBS_PER_SECOND;
  const before = { worker: treeCpuSeconds(worker.pid), store: store.cpuSeconds() };
  const started = performance.now();
  const { failed, reason } = await producer.call('steady', { perSecond: JOBS_PER_SECOND, seconds });
  if (failed > 0) context.report.line(`${failed} calls of ${jobs} failed: ${reason}`);
  await Agent.handledTogether([worker], jobs - failed, seconds * 4_000 + 30_000);
  const late = performance.now() - started - seconds * 1_000;
  await producer.call('waitEmpty', { timeoutMs: 60_000 });
  const workerCpu = treeCpuSeconds(worker.pid) - before.worker;
  const dbCpu = store.cpuSeconds() - before.store;
  const { milliseconds } = await worker.call('latencies', {});
  const rss = treePeakMegabytes(worker.pid);
  await worker.call('stopWorker', {});
  return {
    ...percentiles(milliseconds),
    cpu_s: workerCpu + dbCpu,
    worker_cpu_us_per_job: (workerCpu / jobs) * 1e6,
    db_cpu_us_per_job: (dbCpu / jobs) * 1e6,
    rss_mb: rss,
    kept_up: failed === 0 && late < GRACE_MS ? 1 : 0,
  };
}

function fellBehind(series: Series): boolean {
  return series.rounds.some((round) => round?.kept_up === 0);
}

function withoutMark(round: Metrics | undefined): Metrics | undefined {
  if (round === undefined) return undefined;
  const { kept_up: _mark, ...rest } = round;
  return rest;
}
