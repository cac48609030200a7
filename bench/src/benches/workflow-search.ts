/**
 * `workflow.search`: a million runs that have ended, loaded by SQL and indexed by the server; how long a search over HTTP takes
 * that its caller waits for, by what it asks, and how long it takes to get a run of 2,000 tasks; and what indexing costs.
 */
import pg from 'pg';
import { alternate, type Metrics } from '../alternate.ts';
import type { Bench, Context } from '../context.ts';
import { type HttpSite, openHttpSite } from '../measure/http-site.ts';
import { LeanClient } from '../measure/lean-client.ts';
import { percentiles } from '../statistics.ts';
import type { OpenStore } from '../stores.ts';
import { findSystem } from '../systems/catalog.ts';

const ASKED = [
  'type',
  'status',
  'type-and-status',
  'correlation',
  'time',
  'text',
  'text-and-status',
  'show',
] as const;
const INDEX = 'index';
/** Fewer changes of runs than these are not indexed: a search looks into the runs. */
const PENDING_MOST = 2_048;

export const workflowSearch: Bench = {
  name: 'workflow.search',
  about:
    'a million finished runs over HTTP: search by type, status, correlation id, time and words; get 2,000 tasks',
  variants: [...ASKED, INDEX],
  systems: ['lineshaft'],
  run: async (context) => {
    const runs = context.jobs(1_000_000, 20_000);
    const wanted = [...ASKED, INDEX].filter((variant) => context.wants(variant));
    const seen = new Map<string, Metrics>();
    const measure = (asked: string) => async (): Promise<Metrics> => {
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
      context.report.variant({ variant, series, primary: variant === INDEX ? 'cpu_us_per_job' : 'p95_ms' });
    }
  },
};

async function measureAll(
  context: Context,
  runs: number,
  wanted: readonly string[],
  seen: Map<string, Metrics>,
): Promise<void> {
  const store = await context.stores.open(findSystem('lineshaft'));
  const site = await openHttpSite('lineshaft', store.url);
  const client = new LeanClient(site.url);
  try {
    const last = await load(store, runs);
    const cost = await index(store, site, runs);
    if (wanted.includes(INDEX)) seen.set(INDEX, cost);
    await store.settle();
    for (const asked of wanted.filter((each) => each !== INDEX)) {
      const paths = pathsFor(asked, { runs, last, count: context.options.quick ? 20 : 200 });
      const milliseconds: number[] = [];
      for (const path of paths) {
        const called = performance.now();
        await client.get(path);
        milliseconds.push(performance.now() - called);
      }
      seen.set(asked, percentiles(milliseconds));
    }
  } finally {
    client.close();
    await site.end();
    await store.drop();
  }
}

/** Each asks for something else, in a walk through all runs that comes back to none. */
function pathsFor(
  asked: string,
  given: { readonly runs: number; readonly last: string; readonly count: number },
): string[] {
  return Array.from({ length: given.count }, (_, n) => {
    if (asked === 'show') return `/workflow/${given.last}`;
    const search = searchFor(asked, (n * 7_919) % given.runs);
    return `/workflow/search?${new URLSearchParams({ size: '100', ...search })}`;
  });
}

function searchFor(asked: string, place: number): { query?: string; freeText?: string } {
  const freeText = [`ord-${place}`, `Customer ${place % 1_000}`, 'words', `c${place}*`][place % 4] ?? '';
  const from = Date.now() - place * 1_000;
  const searches: Readonly<Record<string, { query?: string; freeText?: string }>> = {
    type: { query: `workflowType = flow${place % 50}` },
    status: { query: `status IN (${place % 2 === 0 ? 'FAILED' : 'COMPLETED'})` },
    'type-and-status': { query: `workflowType = 'flow${(place % 5) * 10}' AND status = FAILED` },
    correlation: { query: `correlationId = order-${Math.floor(place / 3)}` },
    time: { query: `startTime > ${from} AND startTime < ${from + 3_600_000}` },
    text: { freeText },
    'text-and-status': { freeText, query: 'status = FAILED' },
  };
  return searches[asked] ?? {};
}

/** Waits until the server has indexed what was loaded; what that took, per run. */
async function index(store: OpenStore, site: HttpSite, runs: number): Promise<Metrics> {
  const client = new pg.Client({ connectionString: store.url });
  await client.connect();
  const before = { ours: site.cpuSeconds().server, db: store.cpuSeconds() };
  const started = performance.now();
  try {
    for (;;) {
      const text = 'select count(*)::integer as n from (select from lineshaft.search_pending limit $1) p';
      const { rows } = await client.query<{ n: number }>(text, [PENDING_MOST]);
      if ((rows[0]?.n ?? 0) < PENDING_MOST) break;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    const db = ((store.cpuSeconds() - before.db) / runs) * 1e6;
    const ours = ((site.cpuSeconds().server - before.ours) / runs) * 1e6;
    const seconds = (performance.now() - started) / 1_000;
    await client.query('vacuum analyze');
    return {
      db_cpu_us_per_job: db,
      worker_cpu_us_per_job: ours,
      cpu_us_per_job: db + ours,
      wall_s: seconds,
    };
  } finally {
    await client.end();
  }
}

/**
 * Fifty workflows, one in twenty runs failed, three runs have a correlation id; the last run, whose id it returns, has
 * 2,000 steps.
 */
async function load(store: OpenStore, runs: number): Promise<string> {
  const client = new pg.Client({ connectionString: store.url });
  await client.connect();
  try {
    // Runs are there with their documents, or not at all.
    await client.query('begin');
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
    await client.query(
      'insert into lineshaft.search_pending (run_id) select id from lineshaft.run order by created_at',
    );
    await client.query('commit');
    const text = 'select id from lineshaft.run order by created_at desc limit 1';
    return (await client.query<{ id: string }>(text)).rows[0]?.id ?? '';
  } finally {
    await client.end();
  }
}
