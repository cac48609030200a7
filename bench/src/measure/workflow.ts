/** Runs of a workflow on a fresh database, with one native worker: from the first start until the last has ended. */
import { performance } from 'node:perf_hooks';
import type { Agent } from '../agent-handle.ts';
import type { Metrics } from '../alternate.ts';
import type { Context, Seat } from '../context.ts';
import { treeCpuSeconds, treePeakMegabytes } from '../cpu.ts';
import { findSystem, type SystemEntry } from '../systems/catalog.ts';

export interface WorkflowPlan {
  readonly name: 'chain' | 'fork' | 'loop';
  readonly runs: number;
  /** Branches, or iterations. */
  readonly size?: number;
  /** Steps that workers do, of all runs together. */
  readonly steps: number;
  /** Asked after it has ended, while the database is there. */
  readonly after?: (producer: Agent) => Promise<Metrics>;
}

/**
 * As many as are timed: V8 goes on compiling what decides and writes through the first 20,000 steps, on threads that take up to a
 * fifth of all CPU meanwhile.
 */
const WARM_UP_RUNS = 2_000;

/** Lineshaft as it runs workflows: a driver of its own. */
export function workflowSeat(setup: string): Seat {
  const system: SystemEntry = { ...findSystem('lineshaft'), module: 'lineshaft-workflows.ts' };
  return { system, setup, purpose: 'drain', keepHistory: true };
}

export async function measureWorkflow(context: Context, seat: Seat, plan: WorkflowPlan): Promise<Metrics> {
  const store = await context.stores.open(seat.system);
  const agents: Agent[] = [];
  const start = async (): Promise<Agent> => {
    const agent = await context.agent(seat, store);
    agents.push(agent);
    return agent;
  };
  try {
    const producer = await start();
    await producer.call('prepare', {});
    const worker = await start();
    await worker.call('openWorker', {});
    await worker.call('startWorker', {});
    const begin = (runs: number): Promise<unknown> =>
      producer.call('extra', { name: 'startRuns', args: { name: plan.name, runs, size: plan.size ?? 0 } });
    const end = (): Promise<unknown> => producer.call('waitEmpty', { timeoutMs: 900_000, everyMs: 10 });
    if (plan.name === 'chain') {
      await begin(context.options.quick ? 20 : WARM_UP_RUNS);
      await end();
    }
    await store.settle();
    const cpu = (): number => agents.reduce((sum, agent) => sum + treeCpuSeconds(agent.pid), 0);
    const before = { ours: cpu(), store: store.cpuSeconds() };
    const started = performance.now();
    await begin(plan.runs);
    await end();
    const seconds = (performance.now() - started) / 1000;
    const ours = ((cpu() - before.ours) / plan.steps) * 1e6;
    const db = ((store.cpuSeconds() - before.store) / plan.steps) * 1e6;
    const rss = Math.max(...agents.map((agent) => treePeakMegabytes(agent.pid)));
    const more = (await plan.after?.(producer)) ?? {};
    await worker.call('stopWorker', {});
    return {
      steps_per_s: plan.steps / seconds,
      runs_per_s: plan.runs / seconds,
      db_cpu_us_per_job: db,
      worker_cpu_us_per_job: ours,
      cpu_us_per_job: db + ours,
      rss_mb: rss,
      wall_s: seconds,
      ...more,
    };
  } finally {
    await Promise.all(agents.map((agent) => agent.end()));
    await store.drop();
  }
}
