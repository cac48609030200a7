/**
 * `queue.commit-contention`: 64 connections that commit small inserts of their own, with an enqueue in the
 * same transaction, against the same with a plain insert of the same size in its place.
 */
import { alternate, type Contestant, type Metrics } from '../alternate.ts';
import type { Bench, Context } from '../context.ts';
import { findSystem } from '../systems/catalog.ts';

const CONNECTIONS = 64;
const WARM_UP_MS = 500;

/** By variant: who enqueues. `main` goes through the adapter for `pg`, `sql` calls the function. */
const VARIANTS: Readonly<Record<string, string>> = { main: 'client', sql: 'sql' };

export const commitContention: Bench = {
  name: 'queue.commit-contention',
  about: '64 connections committing, with an enqueue in each transaction and with a plain insert instead',
  variants: Object.keys(VARIANTS),
  systems: ['lineshaft'],
  run: async (context) => {
    const wanted = Object.entries(VARIANTS).filter(([variant]) => context.wants(variant));
    const contestants = [
      ...wanted.map(([variant, how]) => contestant(context, 'lineshaft', variant, how)),
      contestant(context, 'plain-insert', 'default', 'plain'),
    ];
    const series = await alternate(contestants, context.rounds(7), context.report);
    const plain = series.filter((each) => each.system === 'plain-insert');
    for (const [variant] of wanted) {
      const ours = series.filter((each) => each.setup === variant);
      context.report.variant({ variant, series: [...ours, ...plain], primary: 'commits_per_s' });
    }
  },
};

function contestant(context: Context, system: string, setup: string, how: string): Contestant {
  return { system, setup, measure: () => measure(context, how) };
}

async function measure(context: Context, how: string): Promise<Metrics> {
  const system = findSystem('lineshaft');
  const store = await context.stores.open(system);
  const agent = await context.agent({ system, setup: 'default', purpose: 'enqueue' }, store);
  try {
    await agent.call('prepare', {});
    await store.settle();
    const seconds = context.options.quick ? 2 : 10;
    const args = { connections: CONNECTIONS, seconds, warmUpMs: WARM_UP_MS, how };
    const { commits, ms } = (await agent.call('extra', { name: 'contend', args })) as ContendAnswer;
    return { commits_per_s: (commits / ms) * 1_000 };
  } finally {
    await agent.end();
    await store.drop();
  }
}

interface ContendAnswer {
  readonly commits: number;
  readonly ms: number;
}
