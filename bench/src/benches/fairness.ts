/**
 * `ops.fairness`: one tenant with a million jobs beside 99 with 100 each, jobs of 10 ms on 20 slots: when the jobs of the
 * small ones are done, against what they need alone.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Agent } from '../agent-handle.ts';
import { alternate, type Metrics } from '../alternate.ts';
import type { Bench, Context, Seat } from '../context.ts';
import { percentile } from '../statistics.ts';
import { findSystem } from '../systems/catalog.ts';
import type { Interval } from '../systems/lineshaft-limits.ts';

const TENANTS = 99;
const JOBS_EACH = 100;
const JOB_MS = 10;

export const fairness: Bench = {
  name: 'ops.fairness',
  about: 'a tenant with a million jobs beside 99 with 100 each: when the small ones are done',
  variants: ['beside-a-million'],
  systems: ['lineshaft'],
  run: async (context) => {
    const big = context.jobs(1_000_000, 50_000);
    const contestants = [
      { system: 'lineshaft', setup: 'alone', measure: () => measure(context, 0) },
      { system: 'lineshaft', setup: 'beside-a-million', measure: () => measure(context, big) },
    ];
    const [alone, beside] = await alternate(contestants, context.rounds(3), context.report);
    if (beside !== undefined) context.report.against('beside-a-million', beside, 'alone', alone);
  },
};

async function measure(context: Context, big: number): Promise<Metrics> {
  const seat: Seat = {
    system: findSystem('lineshaft'),
    setup: 'default',
    purpose: 'drain',
    keepHistory: true,
    extra: { limits: 'fair', slots: '20' },
  };
  const store = await context.stores.open(seat.system);
  const agents: Agent[] = [];
  try {
    for (let n = 0; n < 2; n += 1) agents.push(await context.agent(seat, store));
    const [producer, worker] = agents;
    if (producer === undefined || worker === undefined) throw new Error('two agents were started');
    await producer.call('prepare', {});
    const enqueue = (jobs: number, keys: number, prefix: string): Promise<unknown> =>
      producer.call('extra', { name: 'keyed', args: { kind: 'timed', jobs, keys, prefix } });
    if (big > 0) await enqueue(big, 1, 'big');
    const small = TENANTS * JOBS_EACH;
    await enqueue(small, TENANTS, 'small');
    await store.settle();
    await worker.call('extra', { name: 'startTimed', args: { durationMs: JOB_MS } });
    const deadline = performance.now() + 120_000;
    while (Number(await worker.call('extra', { name: 'ended', args: { prefix: 'small' } })) < small) {
      if (performance.now() > deadline) throw new Error('the jobs of the small tenants are not done in time');
      await delay(100);
    }
    const intervals = (await worker.call('extra', { name: 'stopTimed', args: {} })) as Interval[];
    const began = Math.min(...intervals.map(([at]) => at));
    const ends = intervals.filter(([, , key]) => key.startsWith('small')).map(([, ended]) => ended - began);
    return { p95_ms: percentile(ends, 95) };
  } finally {
    await Promise.all(agents.map((agent) => agent.end()));
    await store.drop();
  }
}
