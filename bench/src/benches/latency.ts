/** `queue.latency`: an idle system, one process that adds and works, from the call of add to the handler. */
import { alternate, type Metrics } from '../alternate.ts';
import type { Bench, Context, Seat } from '../context.ts';
import { percentiles } from '../statistics.ts';

const SYSTEMS = [
  'lineshaft',
  'graphile-worker',
  'pg-boss',
  'bullmq',
  'bullmq-always',
  'bullmq-postgres',
  'wakeup-floor',
];
const WARM_UP_JOBS = 200;

export const latency: Bench = {
  name: 'queue.latency',
  about: 'idle system: from the call of enqueue to the start of the handler',
  variants: ['main'],
  systems: SYSTEMS,
  run: async (context) => {
    const jobs = context.jobs(5_000, 200);
    const contestants = context.contestants(SYSTEMS, 'latency', (seat) =>
      measureLatency(context, seat, jobs),
    );
    const series = await alternate(contestants, context.rounds(5), context.report);
    context.report.variant({ variant: 'main', series, primary: 'p50_ms' });
  },
};

export async function measureLatency(context: Context, seat: Seat, jobs: number): Promise<Metrics> {
  const store = await context.stores.open(seat.system);
  const agent = await context.agent(seat, store);
  try {
    await agent.call('prepare', {});
    await agent.call('openProducer', {});
    await agent.call('openWorker', {});
    await store.settle();
    await agent.call('startWorker', {});
    const warmUp = Math.min(WARM_UP_JOBS, jobs);
    const { milliseconds } = await agent.call('latency', { jobs, warmUp });
    await agent.call('waitEmpty', { timeoutMs: 10_000 });
    await agent.call('stopWorker', {});
    return percentiles(milliseconds);
  } finally {
    await agent.end();
    await store.drop();
  }
}
