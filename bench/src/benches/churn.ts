/**
 * `queue.churn`: what a drain costs beside a million jobs that it has nothing to do with, against the same
 * drain on empty tables. Every round starts from a copy of the same database: nothing piles up over the rounds.
 * Only `passed-through` lives on from round to round, as a queue does: what jobs leave behind, and what
 * autovacuum makes of it, is what it measures; a copy would have lost the statistics that autovacuum goes by.
 */
import pg from 'pg';
import { alternate, type Contestant, type Metrics } from '../alternate.ts';
import type { Bench, Context, Seat } from '../context.ts';
import { measureDrain } from '../measure/drain.ts';
import type { OpenStore } from '../stores.ts';
import { findSystem } from '../systems/catalog.ts';

interface Variant {
  /** The jobs that are in the database which every round copies, by the name of the driver's extra. */
  readonly fill?: 'kept' | 'forgotten' | 'future' | 'elsewhere';
  /** Whether those jobs are worked off first. */
  readonly drained?: boolean;
  /** What the timed jobs are, where not the ordinary ones. */
  readonly preload?: 'lanes';
  readonly snapshotHeld?: boolean;
  /** Whether every round works in the same database. */
  readonly livesOn?: boolean;
}

/** All keep the history that a fresh install keeps; only what passes through is forgotten at once. */
const VARIANTS: Readonly<Record<string, Variant>> = {
  empty: {},
  finished: { fill: 'kept', drained: true },
  future: { fill: 'future' },
  'not-for-this-worker': { fill: 'elsewhere' },
  'passed-through': { fill: 'forgotten', drained: true, livesOn: true },
  lanes: { preload: 'lanes' },
  'snapshot-held': { snapshotHeld: true },
};

export const churn: Bench = {
  name: 'queue.churn',
  about: 'a drain beside a million other jobs, with 10,000 lanes, and under an old snapshot',
  variants: Object.keys(VARIANTS),
  systems: ['lineshaft'],
  run: async (context) => {
    const wanted = Object.keys(VARIANTS).filter((name) => name === 'empty' || context.wants(name));
    const contestants: Contestant[] = [];
    for (const name of wanted) {
      try {
        const store = await makeDatabase(context, name);
        contestants.push({ system: 'lineshaft', setup: name, measure: () => measure(context, name, store) });
      } catch (error) {
        context.report.failed(`${name}: making the database`, error);
      }
    }
    const series = await alternate(contestants, context.rounds(15), context.report);
    const empty = series.find((each) => each.setup === 'empty');
    for (const each of series) {
      if (each.rounds.length === 0) continue;
      context.report.against(each.setup, each, 'empty', each === empty ? undefined : empty);
    }
  },
};

function seatOf(variant: string): Seat {
  const extra: Record<string, string> = VARIANTS[variant]?.preload === 'lanes' ? { lanes: 'yes' } : {};
  return { system: findSystem('lineshaft'), setup: 'default', purpose: 'drain', keepHistory: true, extra };
}

async function makeDatabase(context: Context, variant: string): Promise<OpenStore> {
  const { fill, drained, livesOn } = VARIANTS[variant] ?? {};
  const seat = seatOf(variant);
  const store = await context.stores.open(seat.system);
  const producer = await context.agent(seat, store);
  const worker = await context.agent(seat, store);
  const jobs = context.options.quick ? 20_000 : 1_000_000;
  try {
    context.report.line(`${variant}: making the database`);
    await producer.call('prepare', {});
    if (fill !== undefined) await producer.call('extra', { name: fill, args: { jobs } });
    if (drained === true) {
      await worker.call('openWorker', {});
      await worker.call('startWorker', {});
      await producer.call('waitEmpty', { timeoutMs: 600_000, everyMs: 50 });
      await worker.call('stopWorker', {});
    }
  } finally {
    await Promise.all([producer.end(), worker.end()]);
  }
  if (livesOn !== true) await tidy(store.url);
  await store.settle();
  return store;
}

/**
 * Leaves the jobs and not what making them left behind, and nothing for autovacuum to do in the template while a
 * copy is measured.
 */
async function tidy(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('vacuum analyze');
  await client.query('select pg_stat_reset()');
  await client.end();
}

function measure(context: Context, variant: string, store: OpenStore): Promise<Metrics> {
  const { preload: kind, snapshotHeld, livesOn } = VARIANTS[variant] ?? {};
  const jobs = context.jobs(100_000, 10_000);
  return measureDrain(context, seatOf(variant), {
    jobs,
    workers: 1,
    ...(livesOn === true ? { store } : { template: store.name }),
    ...(kind === undefined
      ? {}
      : { preload: async (producer) => void (await producer.call('extra', { name: kind, args: { jobs } })) }),
    ...(snapshotHeld === true ? { during: holdSnapshot } : {}),
  });
}

/** A transaction that has read something, and stays open: no dead row can be removed meanwhile. */
async function holdSnapshot(store: OpenStore): Promise<AsyncDisposable> {
  const client = new pg.Client({ connectionString: store.url });
  client.on('error', () => {});
  await client.connect();
  await client.query('begin isolation level repeatable read');
  await client.query('select count(*) from pg_class');
  return { [Symbol.asyncDispose]: () => client.end() };
}
