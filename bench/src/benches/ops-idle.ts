/** `ops.idle`: what a worker with all services, 50 queues and no jobs costs; per second of doing nothing. */
import { performance } from 'node:perf_hooks';
import { alternate, type Metrics } from '../alternate.ts';
import type { Bench, Context, Seat } from '../context.ts';
import { treeCpuSeconds, treeResidentMegabytes } from '../cpu.ts';
import { countTransactions } from '../measure/statements.ts';
import { findSystem } from '../systems/catalog.ts';

/**
 * A worker that has just started still makes partitions and plans, and what a session that then falls silent has done
 * reaches the statistics of the server up to 10 s later.
 */
const SETTLE_MS = 15_000;

export const opsIdle: Bench = {
  name: 'ops.idle',
  about: 'a worker with all services, 50 queues, no jobs: share of a core, statements a second, memory',
  variants: ['main'],
  systems: ['lineshaft'],
  run: async (context) => {
    const periodMs = context.options.quick ? 15_000 : 120_000;
    const contestants = [
      { system: 'lineshaft', setup: 'default', measure: () => measureIdle(context, periodMs) },
    ];
    const series = await alternate(contestants, context.rounds(3), context.report);
    context.report.variant({ variant: 'main', series, primary: 'busy_ratio' });
  },
};

/**
 * Every statement of an idle worker is a transaction of its own, so transactions are counted; those of autovacuum, about
 * 0.2 a second after the start, are among them.
 */
async function measureIdle(context: Context, periodMs: number): Promise<Metrics> {
  const seat: Seat = {
    system: findSystem('lineshaft'),
    setup: 'default',
    purpose: 'latency',
    keepHistory: true,
    extra: { services: 'all', mixed: 'queues' },
  };
  const store = await context.stores.open(seat.system);
  const agent = await context.agent(seat, store);
  try {
    await agent.call('prepare', {});
    await agent.call('openWorker', {});
    await agent.call('startWorker', {});
    await store.settle();
    await pause(SETTLE_MS);
    await using counted = await countTransactions(store);
    const cpuBefore = treeCpuSeconds(agent.pid);
    const dbBefore = store.cpuSeconds();
    const started = performance.now();
    await pause(periodMs);
    const seconds = (performance.now() - started) / 1_000;
    const busy = (treeCpuSeconds(agent.pid) - cpuBefore) / seconds;
    const metrics = {
      busy_ratio: busy,
      statements_per_s: (await counted.since()) / seconds,
      rss_mb: treeResidentMegabytes(agent.pid),
      db_busy_ratio: (store.cpuSeconds() - dbBefore) / seconds,
    };
    await agent.call('stopWorker', {});
    return metrics;
  } finally {
    await agent.end();
    await store.drop();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
