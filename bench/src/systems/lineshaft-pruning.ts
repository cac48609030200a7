/** What `ops.prune` asks of Lineshaft: finished jobs in great number, as workers write them, and to be rid of them. */
import type { Lineshaft } from '@lineshaft/core';
import pg from 'pg';
import type { Driver } from './port.ts';

/** As many as a worker that is not busy writes at once. */
const BATCH = 100;

const FINISH = `
  with kinds as (
    select k.n, lineshaft.lane_of(q.id, k.kind, '{}', 'none', '') as lane
    from lineshaft.queue q cross join (values (0, 'noop'), (1, 'other')) as k (n, kind)
    where q.name = 'bench'
  ),
  day as (
    select ((now() at time zone 'UTC')::date - $2::integer)::timestamp at time zone 'UTC' as start
  ),
  jobs as (
    select g.n, (g.n - 1) / ${BATCH} as batch, k.lane,
      d.start + (g.n - 1) / ${BATCH} * interval '5 milliseconds' as finished_at,
      d.start + (g.n - 1) * interval '50 microseconds' - interval '1 minute' as created_at
    from generate_series(1, $1::integer) as g (n)
    cross join day d
    join kinds k on k.n = g.n % 2
  ),
  identified as (
    select j.*, floor(extract(epoch from j.created_at) * 1000)::bigint as created_ms,
      floor(extract(epoch from j.finished_at) * 1000)::bigint as finished_ms,
      (lpad(to_hex(floor(extract(epoch from j.created_at) * 1000)::bigint), 12, '0') || '70008000'
        || lpad(to_hex(j.n), 12, '0'))::uuid as id
    from jobs j
  ),
  batches as (
    select min(i.finished_at) as finished_at, array_agg(i.id order by i.n) as ids, array_agg(distinct i.lane) as lanes,
      string_agg(
        format('[%s,"succeeded",1,%s,%s,%s,"worker",{"n":%s,"at":0},null,{}]',
          i.lane, i.created_ms, i.finished_ms, i.finished_ms, i.n),
        e'\\n' order by i.n
      ) as entries,
      min(i.created_ms) as created_from, max(i.created_ms) as created_to
    from identified i
    group by i.batch
  )
  insert into lineshaft.history (finished_at, expires_at, ids, id_span, lanes, entries, outcome, created_from, created_to)
  select b.finished_at, now() + interval '30 days', b.ids, lineshaft.id_range(b.ids[1], b.ids[cardinality(b.ids)], '[]'),
    b.lanes, b.entries, 'succeeded', timestamptz 'epoch' + b.created_from * interval '1 millisecond',
    timestamptz 'epoch' + b.created_to * interval '1 millisecond'
  from batches b`;

export function makePruningExtras(lineshaft: Lineshaft, url: string): NonNullable<Driver['extras']> {
  return {
    finish: async ({ jobs, daysAgo }) => {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      await client.query(
        "select lineshaft.make_history_partition((now() at time zone 'UTC')::date - $1::integer)",
        [daysAgo],
      );
      await client.query(FINISH, [jobs, daysAgo]);
      await client.end();
      return null;
    },
    prune: async ({ rule }) => lineshaft.prune({ rule: String(rule), gentle: true }),
  };
}
