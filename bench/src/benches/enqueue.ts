/** `queue.enqueue`: how fast jobs become durable, in bulk and one by one, with no worker at work. */
import type { Metrics } from '../alternate.ts';
import { alternate } from '../alternate.ts';
import type { Bench, Context, Seat } from '../context.ts';

const PEERS = ['lineshaft', 'graphile-worker', 'pg-boss', 'bullmq', 'bullmq-always', 'bullmq-postgres'];
const IN_FLIGHT = 24;
const WARM_UP_JOBS = 2_000;

export const enqueue: Bench = {
  name: 'queue.enqueue',
  about: 'bulk of 100,000 jobs, and one by one with 24 calls in flight',
  variants: ['bulk', 'one-by-one'],
  systems: [...PEERS, 'raw', 'raw-coalesced'],
  run: async (context) => {
    if (context.wants('bulk')) await runBulk(context);
    if (context.wants('one-by-one')) await runOneByOne(context);
  },
};

async function runBulk(context: Context): Promise<void> {
  const jobs = context.jobs(100_000, 10_000);
  const contestants = context.contestants([...PEERS, 'raw'], 'enqueue', (seat) =>
    measureEnqueue(context, seat, 'addAll', Math.ceil(jobs * Math.max(seat.system.share, 0.2))),
  );
  const series = await alternate(contestants, context.rounds(5), context.report);
  context.report.variant({ variant: 'bulk', series, primary: 'jobs_per_s' });
}

async function runOneByOne(context: Context): Promise<void> {
  const jobs = context.jobs(20_000, 2_000);
  const contestants = context.contestants([...PEERS, 'raw-coalesced'], 'enqueue', (seat) => {
    // The slow ones do some hundred calls a second.
    const fast = ['lineshaft', 'raw-coalesced', 'bullmq', 'bullmq-always'].includes(seat.system.name);
    return measureEnqueue(context, seat, 'oneByOne', fast ? jobs : Math.ceil(jobs / 4));
  });
  const series = await alternate(contestants, context.rounds(5), context.report);
  context.report.variant({ variant: 'one-by-one', series, primary: 'calls_per_s' });
}

export async function measureEnqueue(
  context: Context,
  seat: Seat,
  how: 'addAll' | 'oneByOne',
  jobs: number,
): Promise<Metrics> {
  const store = await context.stores.open(seat.system);
  const agent = await context.agent(seat, store);
  try {
    await agent.call('prepare', {});
    await agent.call('openProducer', {});
    const add = (from: number, count: number): Promise<{ ms: number }> =>
      how === 'addAll'
        ? agent.call('addAll', { from, jobs: count })
        : agent.call('oneByOne', { from, jobs: count, inFlight: IN_FLIGHT });
    await add(0, Math.min(WARM_UP_JOBS, jobs));
    await store.settle();
    const cpuBefore = store.cpuSeconds();
    const { ms } = await add(WARM_UP_JOBS, jobs);
    const dbCpu = ((store.cpuSeconds() - cpuBefore) / jobs) * 1e6;
    const rate = (jobs / ms) * 1000;
    return { [how === 'addAll' ? 'jobs_per_s' : 'calls_per_s']: rate, db_cpu_us_per_job: dbCpu };
  } finally {
    await agent.end();
    await store.drop();
  }
}
