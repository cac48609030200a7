/** `queue.drain`: no-op jobs of about 300 bytes, drained by one worker process and by two. */
import type { Agent } from '../agent-handle.ts';
import { alternate, type Metrics } from '../alternate.ts';
import type { Bench, Context, Seat } from '../context.ts';
import { measureDrain } from '../measure/drain.ts';
import { percentile } from '../statistics.ts';
import { findSystem } from '../systems/catalog.ts';

const PEERS = [
  'lineshaft',
  'graphile-worker',
  'pg-boss',
  'bullmq',
  'bullmq-always',
  'bullmq-postgres',
  'raw',
];
const HISTORY_PEERS = ['lineshaft', 'graphile-worker', 'pg-boss', 'chancy'];

interface Variant {
  readonly name: string;
  readonly systems: readonly string[];
  readonly workers: number;
  readonly keepHistory: boolean;
}

const VARIANTS: readonly Variant[] = [
  { name: 'retain-0', systems: PEERS, workers: 1, keepHistory: false },
  { name: 'retain-0-two-workers', systems: PEERS, workers: 2, keepHistory: false },
  { name: 'history', systems: HISTORY_PEERS, workers: 1, keepHistory: true },
  { name: 'history-two-workers', systems: HISTORY_PEERS, workers: 2, keepHistory: true },
];

export const drain: Bench = {
  name: 'queue.drain',
  about: 'no-op jobs: rate, CPU per job, peak memory of the worker',
  variants: [...VARIANTS.map((variant) => variant.name), 'mixed', 'lookup'],
  systems: [...new Set([...PEERS, ...HISTORY_PEERS])],
  run: async (context) => {
    for (const variant of VARIANTS) if (context.wants(variant.name)) await runVariant(context, variant);
    if (context.wants('mixed')) await runMixed(context);
    if (context.wants('lookup')) await runLookUp(context);
  },
};

async function runVariant(context: Context, variant: Variant): Promise<void> {
  const jobs = context.jobs(100_000, 10_000);
  const contestants = context.contestants(variant.systems, 'drain', (seat) =>
    measureDrain(
      context,
      { ...seat, keepHistory: variant.keepHistory },
      { jobs: Math.ceil(jobs * seat.system.share), workers: variant.workers },
    ),
  );
  const series = await alternate(contestants, context.rounds(5), context.report);
  context.report.variant({ variant: variant.name, series, primary: 'jobs_per_s' });
}

/** 10 % fail once, 10 % with unique keys, 20 priorities, 50 queues; against `history`, round by round. */
async function runMixed(context: Context): Promise<void> {
  const jobs = context.jobs(100_000, 10_000);
  const history = ownSeat({});
  const mixed = ownSeat({ mixed: 'yes' });
  const preload = async (producer: Agent): Promise<void> => {
    await producer.call('extra', { name: 'mixed', args: { jobs } });
  };
  const contestants = [
    {
      system: 'lineshaft',
      setup: 'history',
      measure: () => measureDrain(context, history, { jobs, workers: 1 }),
    },
    {
      system: 'lineshaft',
      setup: 'mixed',
      measure: () => measureDrain(context, mixed, { jobs, workers: 1, preload }),
    },
  ];
  const [plain, ours] = await alternate(contestants, context.rounds(5), context.report);
  if (ours !== undefined) context.report.against('mixed', ours, 'history', plain);
}

/** Look-ups of 1,000 random ids of a million finished jobs, by `showJob` and by `waitFor`: the slower p95. */
async function runLookUp(context: Context): Promise<void> {
  const jobs = context.options.quick ? 20_000 : 1_000_000;
  const measure = (): Promise<Metrics> => measureLookUp(context, jobs);
  const contestants = [{ system: 'lineshaft', setup: 'default', measure }];
  const series = await alternate(contestants, 1, context.report);
  context.report.variant({ variant: 'lookup', series, primary: 'p95_ms' });
}

async function measureLookUp(context: Context, jobs: number): Promise<Metrics> {
  const seat = ownSeat({});
  const store = await context.stores.open(seat.system);
  const producer = await context.agent(seat, store);
  const worker = await context.agent(seat, store);
  try {
    await producer.call('prepare', {});
    await producer.call('extra', { name: 'remembered', args: { jobs } });
    await worker.call('openWorker', {});
    await worker.call('startWorker', {});
    await producer.call('waitEmpty', { timeoutMs: 600_000, everyMs: 50 });
    const answer = await producer.call('extra', { name: 'lookup', args: { count: 1_000 } });
    const { show, wait } = answer as { show: number[]; wait: number[] };
    await worker.call('stopWorker', {});
    context.report.describe('lookup p95 in ms', {
      show: percentile(show, 95),
      waitFor: percentile(wait, 95),
    });
    return { p95_ms: Math.max(percentile(show, 95), percentile(wait, 95)) };
  } finally {
    await Promise.all([producer.end(), worker.end()]);
    await store.drop();
  }
}

function ownSeat(extra: Record<string, string>): Seat {
  return { system: findSystem('lineshaft'), setup: 'default', purpose: 'drain', keepHistory: true, extra };
}
