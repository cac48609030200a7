/** Preload, then time workers until the store shows nothing pending. The heart of most benches. */
import { performance } from 'node:perf_hooks';
import { Agent } from '../agent-handle.ts';
import type { Metrics } from '../alternate.ts';
import type { Context, Seat } from '../context.ts';
import { treeCpuSeconds, treePeakMegabytes } from '../cpu.ts';
import type { OpenStore } from '../stores.ts';

const WARM_UP_JOBS = 2_000;
const EMPTY_TIMEOUT_MS = 60_000;
/** Between polls while the work goes on, so that asking costs nothing that counts. */
const RARE_POLL_MS = 20;
/** A system slower than this has failed. */
const SLOWEST_JOBS_PER_SECOND = 50;

export interface DrainPlan {
  readonly jobs: number;
  readonly workers: number;
  /** Adds the jobs to be drained; by default `jobs` of the ordinary kind. */
  readonly preload?: (producer: Agent) => Promise<void>;
  readonly warmUp?: number;
  /** False where handlers run out of the worker's process: then the store alone tells when all is done. */
  readonly countsHandled?: boolean;
  /** Copied instead of an empty database. */
  readonly template?: string;
  /** Used as it is, and kept, instead of a fresh database. */
  readonly store?: OpenStore;
  /** Goes on while the drain does. */
  readonly during?: (store: OpenStore) => Promise<AsyncDisposable>;
}

export async function measureDrain(context: Context, seat: Seat, plan: DrainPlan): Promise<Metrics> {
  const store = plan.store ?? (await context.stores.open(seat.system, plan.template));
  const isFresh = plan.store === undefined && plan.template === undefined;
  const agents: Agent[] = [];
  const start = async (): Promise<Agent> => {
    const agent = await context.agent(seat, store);
    agents.push(agent);
    return agent;
  };
  try {
    const producer = await start();
    if (isFresh) await producer.call('prepare', {});
    await producer.call('openProducer', {});
    const workers: Agent[] = [];
    while (workers.length < plan.workers) workers.push(await start());
    const warmUpJobs = plan.warmUp ?? Math.ceil(WARM_UP_JOBS * Math.max(seat.system.share, 0.25));
    await warmUp(producer, workers, { ...plan, jobs: warmUpJobs });
    if (plan.preload === undefined) await producer.call('addAll', { from: 0, jobs: plan.jobs });
    else await plan.preload(producer);
    await store.settle();
    await using _during = (await plan.during?.(store)) ?? { [Symbol.asyncDispose]: async () => {} };
    return await timeDrain(producer, workers, store, plan);
  } finally {
    await Promise.all(agents.map((agent) => agent.end()));
    if (plan.store === undefined) await store.drop();
  }
}

async function warmUp(producer: Agent, workers: readonly Agent[], plan: DrainPlan): Promise<void> {
  for (const worker of workers) {
    await producer.call('addAll', { from: 0, jobs: plan.jobs });
    await worker.call('openWorker', {});
    await worker.call('startWorker', {});
    await allDone(producer, [worker], plan);
    await worker.call('stopWorker', {});
  }
}

async function allDone(producer: Agent, workers: readonly Agent[], plan: DrainPlan): Promise<void> {
  const timeoutMs = EMPTY_TIMEOUT_MS + (plan.jobs / SLOWEST_JOBS_PER_SECOND) * 1000;
  if (plan.countsHandled === false) {
    await producer.call('waitEmpty', { timeoutMs, everyMs: RARE_POLL_MS });
    return;
  }
  await Agent.handledTogether(workers, plan.jobs, timeoutMs);
  await producer.call('waitEmpty', { timeoutMs: EMPTY_TIMEOUT_MS });
}

async function timeDrain(
  producer: Agent,
  workers: readonly Agent[],
  store: OpenStore,
  plan: DrainPlan,
): Promise<Metrics> {
  await Promise.all(workers.map((worker) => worker.call('openWorker', {})));
  const workerCpu = (): number => workers.reduce((sum, worker) => sum + treeCpuSeconds(worker.pid), 0);
  const before = { worker: workerCpu(), store: store.cpuSeconds() };
  const started = performance.now();
  await Promise.all(workers.map((worker) => worker.call('startWorker', {})));
  await allDone(producer, workers, plan);
  const seconds = (performance.now() - started) / 1000;
  const worker = ((workerCpu() - before.worker) / plan.jobs) * 1e6;
  const db = ((store.cpuSeconds() - before.store) / plan.jobs) * 1e6;
  const rss = Math.max(...workers.map((each) => treePeakMegabytes(each.pid)));
  await Promise.all(workers.map((each) => each.call('stopWorker', {})));
  return {
    jobs_per_s: plan.jobs / seconds,
    db_cpu_us_per_job: db,
    worker_cpu_us_per_job: worker,
    cpu_us_per_job: db + worker,
    rss_mb: rss,
  };
}
