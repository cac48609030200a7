/**
 * `workflow.search`: a million runs that have ended, loaded by SQL; how long a search takes that its caller waits for, by what
 * it asks; and how long it takes to show a run of 2,000 steps.
 */
import pg from 'pg';
import { alternate, type Metrics } from '../alternate.ts';
import type { Bench, Context } from '../context.ts';
import { workflowSeat } from '../measure/workflow.ts';
import { percentiles } from '../statistics.ts';
import type { OpenStore } from '../stores.ts';

const VARIANTS = ['type', 'status', 'type-and-status', 'correlation', 'time', 'text', 'show'] as const;

type Asked = (typeof VARIANTS)[number];

export const workflowSearch: Bench = {
  name: 'workflow.search',
  about: 'a million finished runs: search by type, status, correlation id, time and words; show 2,000 steps',
  variants: VARIANTS,
  systems: ['lineshaft'],
  run: async (context) => {
    const runs = context.jobs(1_000_000, 20_000);
    const wanted = VARIANTS.filter((variant) => context.wants(variant));
    const seen = new Map<Asked, Metrics>();
    const measure = (asked: Asked) => async (): Promise<Metrics> => {
      // All are asked of one database: loading it takes a minute.
      if (seen.size === 0) await measureAll(context, runs, wanted, seen);
      const metrics = seen.get(asked);
      seen.delete(asked);
      if (metrics === undefined) throw new Error(`nothing was measured of ${asked}`);
      return metrics;
    };
    const contestants = wanted.map((asked) => ({
      system: 'lineshaft',
      setup: asked,
      measure: measure(asked),
    }));
    const all = await alternate(contestants, context.rounds(3), context.report);
    for (const variant of wanted) {
      const series = all.filter((each) => each.setup === variant);
      context.report.variant({ variant, series, primary: 'p95_ms' });
    }
  },
};

async function measureAll(
  context: Context,
  runs: number,
  wanted: readonly Asked[],
  seen: Map<Asked, Metrics>,
): Promise<void> {
  const seat = workflowSeat('workflow.search');
  const store = await context.stores.open(seat.system);
  const agent = await context.agent(seat, store);
  try {
    await agent.call('prepare', {});
    await load(store, runs);
    await store.settle();
    for (const asked of wanted) {
      const count = context.options.quick ? 20 : 200;
      const call = { name: 'search', args: { name: asked, runs, count } };
      seen.set(asked, percentiles((await agent.call('extra', call)) as number[]));
    }
  } finally {
    await agent.end();
    await store.drop();
  }
}

/** Fifty workflows, one in twenty runs failed, three runs have a correlation id; the last run has 2,000 steps. */
async function load(store: OpenStore, runs: number): Promise<void> {
  const client = new pg.Client({ connectionString: store.url });
  await client.connect();
  try {
    await client.query(
      `insert into lineshaft.run_definition (hash, definition)
       select 'flow' || n, json_build_object('name', 'flow' || n, 'version', 1, 'tasks', '[]'::json)
       from generate_series(0, 49) n`,
    );
    await client.query(
      `insert into lineshaft.run (id, revision, status, next_seq, updated_at, ended_at, definition, name, version, correlation_id, created_at)
       select lineshaft.uuid_v7(), 1, case when n % 20 = 0 then 'FAILED' else 'COMPLETED' end, 11, t.at + interval '1 s',
         t.at + interval '1 s', 'flow' || n % 50, 'flow' || n % 50, 1, 'order-' || n / 3, t.at
       from generate_series(1, $1::integer) n, lateral (select now() - ($1 - n) * interval '1 s' as at) t`,
      [runs],
    );
    await client.query(
      `insert into lineshaft.run_data (run_id, input, output, variables)
       select r.id, json_build_object('orderId', 'ord-' || r.n, 'customer', 'Customer ' || r.n % 1000,
         'email', 'c' || r.n || '@example.com', 'text', 'some words that all of them have', 'data', repeat(md5(r.n::text), 20)),
         json_build_object('result', r.n * 7, 'message', 'done well'), '{}'
       from (select id, row_number() over (order by created_at) as n from lineshaft.run) r`,
    );
    await client.query(
      `insert into lineshaft.step (run_id, seq, id, revision, ref, type, name, status, scheduled_at, started_at, updated_at,
         ended_at, definition, input, output)
       select r.id, n, lineshaft.uuid_v7(), 1, 's' || n, 'work', 'work', 'COMPLETED', now(), now(), now(), now(),
         '{"name": "work", "taskReferenceName": "s"}', json_build_object('n', n, 'text', repeat('x', 200)), '{"done": true}'
       from (select id from lineshaft.run order by created_at desc limit 1) r, generate_series(1, 2000) n`,
    );
    await client.query('vacuum analyze');
  } finally {
    await client.end();
  }
}
