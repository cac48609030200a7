/**
 * `ops.schedules`: 10,000 schedules that come due in the same minute, all at one second: how long from then until all
 * their jobs are enqueued, once each; and what a worker costs whose schedules are all far from due.
 */
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { alternate, type Metrics } from '../alternate.ts';
import type { Bench, Context } from '../context.ts';
import { treeCpuSeconds } from '../cpu.ts';
import type { OpenStore } from '../stores.ts';
import { findSystem } from '../systems/catalog.ts';

/** In all of these the minute is the same. */
const ZONES = ['Europe/Berlin', 'America/New_York', 'Asia/Tokyo', 'America/Sao_Paulo', 'UTC'];
/** Declaring takes a while. */
const LEAD_SECONDS = 25;
/** How often one looks whether the last of them is there; the figure is too long by this at most. */
const LOOK_MS = 5;
const TIMEOUT_MS = 60_000;

export const schedules: Bench = {
  name: 'ops.schedules',
  about:
    '10,000 schedules due at the same second: until all are enqueued, once each; and the cost of waiting',
  variants: ['main', 'idle'],
  systems: ['lineshaft'],
  run: async (context) => {
    const count = context.jobs(10_000, 1_000);
    const idleSeconds = context.options.quick ? 5 : 30;
    const measures: Readonly<Record<string, () => Promise<Metrics>>> = {
      main: () => withSchedules(context, count, (store) => timeTick(store, count)),
      idle: () => withSchedules(context, count, (_store, pid) => measureIdle(pid, idleSeconds), 'far'),
    };
    const wanted = Object.entries(measures).filter(([variant]) => context.wants(variant));
    const contestants = wanted.map(([setup, measure]) => ({ system: 'lineshaft', setup, measure }));
    const all = await alternate(contestants, context.rounds(5), context.report);
    for (const [variant] of wanted) {
      const series = all.filter((each) => each.setup === variant);
      context.report.variant({ variant, series, primary: variant === 'main' ? 'wall_s' : 'busy_ratio' });
    }
  },
};

/** Declares the schedules, starts a worker with the defaults, and measures when it has settled. */
async function withSchedules(
  context: Context,
  count: number,
  measure: (store: OpenStore, pid: number) => Promise<Metrics>,
  when: 'soon' | 'far' = 'soon',
): Promise<Metrics> {
  const system = findSystem('lineshaft');
  const store = await context.stores.open(system);
  const agent = await context.agent({ system, setup: 'default', purpose: 'steady' }, store);
  try {
    await agent.call('prepare', {});
    await agent.call('openWorker', {});
    await agent.call('startWorker', {});
    await store.settle();
    await declare(store, count, when);
    await query(store, 'vacuum analyze lineshaft.schedule');
    await until(
      store,
      'all are planned',
      'select count(*) as n from lineshaft.schedule where next_tick is null',
      0,
    );
    return await measure(store, agent.pid);
  } finally {
    await agent.end();
    await store.drop();
  }
}

/** In several zones; all of them due at one second, soon or only in months. */
async function declare(store: OpenStore, count: number, when: 'soon' | 'far'): Promise<void> {
  await query(
    store,
    `with rule as (
      select case $3 when 'far' then '0 0 1 1 *' else to_char(at, 'SS MI') || ' * * * *' end as cron
      from (select clock_timestamp() + $4 * interval '1 s' as at) t
    )
    select count(lineshaft.declare_schedule('bench-' || n,
      jsonb_build_object('kind', 'noop', 'cron', r.cron, 'timeZone', ($2::text[])[1 + n % cardinality($2::text[])],
        'options', '{"queue": "bench"}'::jsonb),
      json_build_object('n', n, 'at', 0)))
    from rule r cross join generate_series(1, $1::integer) n`,
    [count, ZONES, when, LEAD_SECONDS],
  );
}

/** From the second at which they are due until all jobs are there for others to see, by the clock of the database. */
async function timeTick(store: OpenStore, count: number): Promise<Metrics> {
  const [due] = await query<{ wait_s: number }>(
    store,
    `select extract(epoch from min(next_tick) - clock_timestamp())::double precision as wait_s from lineshaft.schedule`,
  );
  await delay(Math.max(due?.wait_s ?? 0, 0) * 1_000);
  const done = 'select (exists (select from lineshaft.schedule where runs = 0))::integer as n';
  await until(store, 'all have run', done, 0, LOOK_MS);
  const [row] = await query<{ wall_s: number; runs: string; ticks: string; most: string; jobs: string }>(
    store,
    `select extract(epoch from clock_timestamp() - min(last_run_tick))::double precision as wall_s, sum(runs) as runs,
      count(distinct last_run_tick) as ticks, max(runs) as most, count(distinct last_job_id) as jobs
    from lineshaft.schedule`,
  );
  const [enqueued] = await query<{ n: string }>(store, 'select last_value as n from lineshaft.job_seq');
  if (row === undefined || enqueued === undefined) throw new Error('the schedules are gone');
  const once = Number(row.runs) === count && Number(row.most) === 1 && Number(row.jobs) === count;
  if (!once || Number(enqueued.n) !== count || Number(row.ticks) !== 1) {
    throw new Error(`not once each: ${JSON.stringify({ count, ...row, enqueued: enqueued.n })}`);
  }
  return { wall_s: row.wall_s };
}

async function measureIdle(pid: number, seconds: number): Promise<Metrics> {
  // What was planned shall have settled first.
  await delay(3_000);
  const before = treeCpuSeconds(pid);
  await delay(seconds * 1_000);
  const cpu = treeCpuSeconds(pid) - before;
  return { cpu_s: cpu, busy_ratio: cpu / seconds };
}

async function until(
  store: OpenStore,
  what: string,
  text: string,
  wanted: number,
  everyMs = 100,
): Promise<void> {
  const deadline = Date.now() + TIMEOUT_MS;
  const client = await connect(store);
  try {
    for (;;) {
      const { rows } = await client.query<{ n: string | number }>(text);
      if (Number(rows[0]?.n) === wanted) return;
      if (Date.now() > deadline)
        throw new Error(`not within ${TIMEOUT_MS / 1_000} s: ${what} (${rows[0]?.n})`);
      await delay(everyMs);
    }
  } finally {
    await client.end();
  }
}

async function query<Row extends pg.QueryResultRow>(
  store: OpenStore,
  text: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  const client = await connect(store);
  try {
    return (await client.query<Row>(text, [...values])).rows;
  } finally {
    await client.end();
  }
}

async function connect(store: OpenStore): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: store.url });
  await client.connect();
  return client;
}
