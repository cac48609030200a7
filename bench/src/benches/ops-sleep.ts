/**
 * `ops.sleep`: a worker that lets the database sleep. Whether anything is sent while nothing is due; then how soon a
 * job starts that is enqueued meanwhile, each time out of a rest, against `queue.latency` in the same run; and how soon where a
 * worker was awake with nothing to do for as long, since machine and database are cold then too.
 */
import { alternate, type Metrics } from '../alternate.ts';
import type { Bench, Context, Seat } from '../context.ts';
import { watchSessions } from '../measure/statements.ts';
import { percentiles } from '../statistics.ts';
import { findSystem } from '../systems/catalog.ts';

const WARM_UP_JOBS = 200;
/** What a worker does as it wakes is compiled when it first does it. */
const WARM_UP_RESTS = 1;
/** Awake it would have sent a heartbeat in this time. */
const ASLEEP_MS = 8_000;
const FALL_ASLEEP_TIMEOUT_MS = 60_000;

export const opsSleep: Bench = {
  name: 'ops.sleep',
  about:
    'letDatabaseSleep: statements while nothing is due, and the start of a job that is enqueued meanwhile',
  variants: ['statements', 'latency', 'cold'],
  systems: ['lineshaft'],
  run: async (context) => {
    if (context.wants('statements')) await runStatements(context);
    if (context.wants('latency') || context.wants('cold')) await runLatency(context);
  },
};

async function runStatements(context: Context): Promise<void> {
  const periodMs = context.options.quick ? 20_000 : 600_000;
  const measure = (): Promise<Metrics> => measureStatements(context, periodMs);
  const series = await alternate([{ system: 'lineshaft', setup: 'sleep', measure }], 1, context.report);
  context.report.variant({ variant: 'statements', series, primary: 'statements' });
}

async function measureStatements(context: Context, periodMs: number): Promise<Metrics> {
  return await withAgent(context, { sleep: 'yes' }, async (_agent, store) => {
    await using sessions = await watchSessions(store);
    await asleep(sessions);
    const before = await sessions.seen();
    await pause(periodMs);
    return { statements: (await sessions.seen()) - before, period_s: periodMs / 1_000 };
  });
}

/** One job out of each rest, or each time of idleness; the other worker is awake and has one job after the other. */
async function runLatency(context: Context): Promise<void> {
  const rests = context.options.quick ? 2 : 20;
  const measures = {
    latency: { setup: 'sleep', measure: () => measureAsleep(context, rests) },
    cold: { setup: 'cold', measure: () => measureCold(context, rests) },
  };
  const variants = (['latency', 'cold'] as const).filter((variant) => context.wants(variant));
  const contestants = [
    { system: 'lineshaft', setup: 'awake', measure: () => measureAwake(context) },
    ...variants.map((variant) => ({ system: 'lineshaft', ...measures[variant] })),
  ];
  const [awake, ...series] = await alternate(contestants, context.rounds(1), context.report);
  for (const [place, variant] of variants.entries()) {
    const measured = series[place];
    if (measured !== undefined) context.report.against(variant, measured, 'queue.latency', awake);
  }
}

async function measureAwake(context: Context): Promise<Metrics> {
  return await withAgent(context, {}, async (agent) => {
    const jobs = context.jobs(5_000, 200);
    const { milliseconds } = await agent.call('latency', { jobs, warmUp: Math.min(WARM_UP_JOBS, jobs) });
    const found = percentiles(milliseconds);
    return { ...found, start_ms: found.p99_ms };
  });
}

async function measureCold(context: Context, times: number): Promise<Metrics> {
  return await withAgent(context, {}, async (agent) => {
    await agent.call('latency', { jobs: WARM_UP_JOBS, warmUp: WARM_UP_JOBS });
    const all: number[] = [];
    for (let time = 0; time < WARM_UP_RESTS + times; time += 1) {
      await pause(ASLEEP_MS);
      const { milliseconds } = await agent.call('latency', { jobs: 1, warmUp: 0 });
      if (time >= WARM_UP_RESTS) all.push(...milliseconds);
    }
    return startOf(all);
  });
}

async function measureAsleep(context: Context, rests: number): Promise<Metrics> {
  return await withAgent(context, { sleep: 'yes' }, async (agent, store) => {
    await agent.call('latency', { jobs: WARM_UP_JOBS, warmUp: WARM_UP_JOBS });
    const all: number[] = [];
    await using sessions = await watchSessions(store);
    for (let rest = 0; rest < WARM_UP_RESTS + rests; rest += 1) {
      await asleep(sessions);
      const { milliseconds } = await agent.call('latency', { jobs: 1, warmUp: 0 });
      if (rest >= WARM_UP_RESTS) all.push(...milliseconds);
    }
    return startOf(all);
  });
}

/** What is held against the bar: the median of the rests, and of `queue.latency` the p99. */
function startOf(milliseconds: readonly number[]): Metrics {
  const found = percentiles(milliseconds);
  return { start_ms: found.p50_ms, ...found };
}

async function withAgent(
  context: Context,
  extra: Readonly<Record<string, string>>,
  work: (
    agent: Awaited<ReturnType<Context['agent']>>,
    store: Awaited<ReturnType<Context['stores']['open']>>,
  ) => Promise<Metrics>,
): Promise<Metrics> {
  const setup = extra['sleep'] === undefined ? 'awake' : 'sleep';
  const seat: Seat = { system: findSystem('lineshaft'), setup, purpose: 'latency', extra };
  const store = await context.stores.open(seat.system);
  const agent = await context.agent(seat, store);
  try {
    await agent.call('prepare', {});
    await agent.call('openProducer', {});
    await agent.call('openWorker', {});
    await store.settle();
    await agent.call('startWorker', {});
    const metrics = await work(agent, store);
    await agent.call('stopWorker', {});
    return metrics;
  } finally {
    await agent.end();
    await store.drop();
  }
}

async function asleep(sessions: { silentMs(): Promise<number> }): Promise<void> {
  const endMs = performance.now() + FALL_ASLEEP_TIMEOUT_MS;
  while ((await sessions.silentMs()) < ASLEEP_MS) {
    if (performance.now() > endMs) throw new Error('the worker does not let the database sleep');
    await pause(250);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
