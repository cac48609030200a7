/**
 * `ops.limits`: what limits cost where they never bind (`not-binding`, against the same drain without limits), and how
 * well they are used where they do (`binding`: jobs of 100 ms over two worker processes; how busy the slots are that the
 * limit allows, and by how many it is ever exceeded, by what the handlers themselves say).
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Agent } from '../agent-handle.ts';
import { alternate, type Metrics } from '../alternate.ts';
import type { Bench, Context, Seat } from '../context.ts';
import { measureDrain } from '../measure/drain.ts';
import { findSystem } from '../systems/catalog.ts';
import type { Interval } from '../systems/lineshaft-limits.ts';

const KEYS = 10_000;
const JOB_MS = 100;
const ALL = 50;
const PER_KEY = 2;
const BINDING_KEYS = 100;

export const limits: Bench = {
  name: 'ops.limits',
  about: 'limits per key, over all and of rate: what they cost, how exact they are, how well they are used',
  variants: ['not-binding', 'binding'],
  systems: ['lineshaft'],
  run: async (context) => {
    if (context.wants('not-binding')) await runNotBinding(context);
    if (context.wants('binding')) await runBinding(context);
  },
};

async function runNotBinding(context: Context): Promise<void> {
  const jobs = context.jobs(100_000, 10_000);
  const preload = async (producer: Agent): Promise<void> => {
    await producer.call('extra', { name: 'keyed', args: { kind: 'noop', jobs, keys: KEYS, prefix: 'k' } });
  };
  const contestant = (setup: string, extra: Record<string, string>) => ({
    system: 'lineshaft',
    setup,
    measure: () => measureDrain(context, seat(extra), { jobs, workers: 1, preload }),
  });
  const contestants = [contestant('unlimited', {}), contestant('not-binding', { limits: 'not-binding' })];
  const [unlimited, limited] = await alternate(contestants, context.rounds(7), context.report);
  if (limited !== undefined) context.report.against('not-binding', limited, 'unlimited', unlimited);
}

async function runBinding(context: Context): Promise<void> {
  const jobs = context.jobs(5_000, 1_000);
  const measure = (): Promise<Metrics> => measureBinding(context, jobs);
  const contestants = [{ system: 'lineshaft', setup: 'default', measure }];
  const series = await alternate(contestants, context.rounds(5), context.report);
  context.report.variant({ variant: 'binding', series, primary: 'busy_ratio' });
}

async function measureBinding(context: Context, jobs: number): Promise<Metrics> {
  const ours = seat({ limits: 'binding', all: String(ALL), perKey: String(PER_KEY), slots: '100' });
  const store = await context.stores.open(ours.system);
  const agents: Agent[] = [];
  try {
    for (let n = 0; n < 3; n += 1) agents.push(await context.agent(ours, store));
    const [producer, ...workers] = agents;
    await producer?.call('prepare', {});
    await producer?.call('extra', {
      name: 'keyed',
      args: { kind: 'timed', jobs, keys: BINDING_KEYS, prefix: 'k' },
    });
    await store.settle();
    for (const worker of workers)
      await worker.call('extra', { name: 'startTimed', args: { durationMs: JOB_MS } });
    const ended = async (): Promise<number> => {
      const counts = workers.map((each) => each.call('extra', { name: 'ended', args: { prefix: 'k' } }));
      return (await Promise.all(counts)).reduce<number>((sum, count) => sum + Number(count), 0);
    };
    const deadline = performance.now() + 60_000 + 10 * (jobs / ALL) * JOB_MS;
    while ((await ended()) < jobs) {
      if (performance.now() > deadline) throw new Error('the jobs are not done in time');
      await delay(200);
    }
    const lists = await Promise.all(
      workers.map(
        async (worker) => (await worker.call('extra', { name: 'stopTimed', args: {} })) as Interval[],
      ),
    );
    return judge(lists.flat());
  } finally {
    await Promise.all(agents.map((agent) => agent.end()));
    await store.drop();
  }
}

/** How busy the allowed slots were until the last job began, and the most that ran at once beyond what is allowed. */
function judge(intervals: readonly Interval[]): Metrics {
  const first = Math.min(...intervals.map(([began]) => began));
  const last = Math.max(...intervals.map(([began]) => began));
  let busyMs = 0;
  for (const [began, ended] of intervals) busyMs += Math.max(Math.min(ended, last) - began, 0);
  let overshoot = Math.max(mostAtOnce(intervals) - ALL, 0);
  for (const ofKey of Map.groupBy(intervals, ([, , key]) => key).values())
    overshoot = Math.max(overshoot, mostAtOnce(ofKey) - PER_KEY);
  return { busy_ratio: busyMs / ((last - first) * ALL), overshoot };
}

function mostAtOnce(intervals: readonly Interval[]): number {
  // Ends come before beginnings of the same moment.
  const steps = intervals.flatMap(([began, ended]) => [[began, 1] as const, [ended, -1] as const]);
  steps.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let now = 0;
  let most = 0;
  for (const [, step] of steps) {
    now += step;
    most = Math.max(most, now);
  }
  return most;
}

function seat(extra: Record<string, string>): Seat {
  return { system: findSystem('lineshaft'), setup: 'default', purpose: 'drain', keepHistory: true, extra };
}
