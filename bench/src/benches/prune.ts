/**
 * `ops.prune`: forgets a million finished jobs past their age while 500 jobs a second go through a worker: how long it
 * takes, and what it does to the time from the call of enqueue to the handler, against the same load without pruning.
 * `partitions`: they lie in four days that are over, which are dropped. `batches`: in one that is not, so that batches
 * are deleted. `lines`: every second job of each batch, so that all batches are read and written anew.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { Agent } from '../agent-handle.ts';
import { alternate, type Contestant, type Metrics } from '../alternate.ts';
import type { Bench, Context, Seat } from '../context.ts';
import { percentile } from '../statistics.ts';
import type { OpenStore } from '../stores.ts';
import { findSystem } from '../systems/catalog.ts';

interface Variant {
  /** How many days ago the jobs finished: one day for each. */
  readonly days: readonly number[];
  /** What is pruned; none: nothing is. */
  readonly rule?: string;
  /** How long the load goes on; at least as long as the pruning takes. */
  readonly seconds: number;
}

const VARIANTS: Readonly<Record<string, Variant>> = {
  partitions: { days: [2, 3, 4, 5], rule: 'finishedAge > 1d', seconds: 4 },
  batches: { days: [1], rule: 'finishedAge > 1h', seconds: 5 },
  lines: { days: [1], rule: 'finishedAge > 1h and kind = noop', seconds: 20 },
  'without-pruning': { days: [2, 3, 4, 5], seconds: 5 },
};
const BASE = 'without-pruning';
const JOBS_PER_SECOND = 500;
const WARM_UP_JOBS = 1_000;
/** The load goes on for so long before the pruning begins; what is handled in it does not count. */
const LEAD_IN_MS = 1_000;
const SEAT: Seat = {
  system: findSystem('lineshaft'),
  setup: 'default',
  purpose: 'steady',
  keepHistory: true,
};

export const prune: Bench = {
  name: 'ops.prune',
  about:
    'a million finished jobs are forgotten while 500 jobs/s go through: how long, and what the jobs feel',
  variants: Object.keys(VARIANTS),
  systems: ['lineshaft'],
  run: async (context) => {
    const wanted = Object.keys(VARIANTS).filter((name) => name === BASE || context.wants(name));
    const contestants: Contestant[] = [];
    for (const name of wanted) {
      try {
        const store = await makeDatabase(context, name);
        contestants.push({ system: 'lineshaft', setup: name, measure: () => measure(context, name, store) });
      } catch (error) {
        context.report.failed(`${name}: making the database`, error);
      }
    }
    const series = await alternate(contestants, context.rounds(9), context.report);
    const base = series.find((each) => each.setup === BASE);
    for (const each of series) {
      if (each.rounds.length === 0) continue;
      context.report.against(each.setup, each, BASE, each === base ? undefined : base);
    }
  },
};

/** A database with the finished jobs, which every round copies. */
async function makeDatabase(context: Context, variant: string): Promise<OpenStore> {
  const store = await context.stores.open(SEAT.system);
  const agent = await context.agent(SEAT, store);
  const days = VARIANTS[variant]?.days ?? [];
  try {
    context.report.line(`${variant}: making the database`);
    await agent.call('prepare', {});
    const jobs = Math.ceil(context.jobs(1_000_000, 50_000) / days.length);
    for (const daysAgo of days) await agent.call('extra', { name: 'finish', args: { jobs, daysAgo } });
  } finally {
    await agent.end();
  }
  const client = new pg.Client({ connectionString: store.url });
  await client.connect();
  await client.query('vacuum analyze');
  await client.end();
  await store.settle();
  return store;
}

async function measure(context: Context, variant: string, template: OpenStore): Promise<Metrics> {
  const { rule, seconds = 1 } = VARIANTS[variant] ?? {};
  const store = await context.stores.open(SEAT.system, template.name);
  const agents: Agent[] = [];
  const start = async (): Promise<Agent> => {
    const agent = await context.agent(SEAT, store);
    agents.push(agent);
    return agent;
  };
  try {
    const [producer, worker, cleaner] = [await start(), await start(), await start()];
    await producer.call('openProducer', {});
    await worker.call('openWorker', {});
    await worker.call('startWorker', {});
    await producer.call('oneByOne', { from: 0, jobs: WARM_UP_JOBS, inFlight: 24 });
    await producer.call('waitEmpty', { timeoutMs: 60_000 });
    await worker.call('stopWorker', {});
    await worker.call('openWorker', {});
    await store.settle();
    await worker.call('startWorker', {});
    const load = producer.call('steady', { perSecond: JOBS_PER_SECOND, seconds });
    await delay(LEAD_IN_MS);
    const before = (await worker.call('latencies', {})).milliseconds.length;
    const started = performance.now();
    if (rule !== undefined) await cleaner.call('extra', { name: 'prune', args: { rule } });
    else await load;
    const wallSeconds = (performance.now() - started) / 1_000;
    // What was handled meanwhile, and nothing else.
    const meanwhile = (await worker.call('latencies', {})).milliseconds.slice(before);
    const { failed, reason } = await load;
    if (failed > 0) context.report.line(`${failed} calls failed: ${reason}`);
    await Agent.handledTogether([worker], seconds * JOBS_PER_SECOND - failed, 60_000);
    await worker.call('stopWorker', {});
    return {
      ...(rule === undefined ? {} : { wall_s: wallSeconds }),
      p95_ms: percentile(meanwhile, 95),
    };
  } finally {
    await Promise.all(agents.map((agent) => agent.end()));
    await store.drop();
  }
}
