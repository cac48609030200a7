/** Finished jobs in great number, written as workers write them, but by one statement. */

import type { Site } from '../worker/site.ts';

export interface Finished {
  readonly queue: string;
  readonly jobs: number;
  readonly kinds?: readonly string[];
  /** Jobs in a batch. Default 100. */
  readonly batch?: number;
  /** How many days ago they finished. */
  readonly daysAgo: number;
  readonly outcome?: 'succeeded' | 'cancelled';
  /** For how many days from now on they are kept. Default 30. */
  readonly keepDays?: number;
  /** How many hours before they finished they were made. Default 1. */
  readonly madeHours?: number;
}

/** Writes them at noon (UTC) of that day, a millisecond between batches; job n has the payload `{"n": n}`. */
export async function finish(site: Site, finished: Finished): Promise<string[]> {
  const { queue, jobs, kinds = ['one'], batch = 100, daysAgo, outcome = 'succeeded' } = finished;
  await site.rows("select lineshaft.make_history_partition((now() at time zone 'UTC')::date - $1::integer)", [
    daysAgo,
  ]);
  const rows = await site.rows<{ ids: string[] }>(
    `with lanes as (
      select k.n, k.kind, lineshaft.lane_of(q.id, k.kind, '{}', 'none', '') as lane
      from lineshaft.queue q cross join unnest($2::text[]) with ordinality as k (kind, n) where q.name = $1
    ),
    noon as (
      select ((now() at time zone 'UTC')::date - $5::integer + time '12:00') at time zone 'UTC' as at
    ),
    jobs as (
      select g.n, (g.n - 1) / $4::integer as batch, noon.at + (g.n - 1) / $4::integer * interval '1 millisecond' as finished_at,
        noon.at - $8::double precision * interval '1 hour' as created_at, l.lane,
        (lpad(to_hex((extract(epoch from noon.at - $8::double precision * interval '1 hour') * 1000)::bigint), 12, '0')
          || '7000' || substr(md5(q.id::text), 1, 4) || lpad(to_hex(g.n), 12, '0'))::uuid as id
      from generate_series(1, $3::integer) g (n)
      cross join noon
      join lineshaft.queue q on q.name = $1
      join lanes l on l.n = (g.n - 1) % cardinality($2::text[]) + 1
    )
    insert into lineshaft.history (finished_at, expires_at, ids, id_span, lanes, entries, outcome, created_from, created_to)
    select min(j.finished_at), now() + $7::double precision * interval '1 day', array_agg(j.id order by j.id),
      lineshaft.id_range((array_agg(j.id order by j.id))[1], (array_agg(j.id order by j.id desc))[1], '[]'),
      array_agg(distinct j.lane),
      string_agg(
        json_build_array(j.lane, $6::text, 1, (extract(epoch from j.created_at) * 1000)::bigint, null,
          (extract(epoch from j.finished_at) * 1000)::bigint, 'w', json_build_object('n', j.n), null,
          case when j.n % 2 = 0 then '{"options": {"labels": {"tenant": "even"}}}'::json else '{}' end)::text,
        e'\\n' order by j.id
      ),
      $6, min(j.created_at), max(j.created_at)
    from jobs j
    group by j.batch
    returning ids`,
    [queue, kinds, jobs, batch, daysAgo, outcome, finished.keepDays ?? 30, finished.madeHours ?? 1],
  );
  return rows.flatMap(({ ids }) => ids);
}

/** Names of the partitions of history, detached ones too. */
export async function partitions(site: Site): Promise<string[]> {
  const text =
    "select relname from pg_class where relname ~ '^history_\\d{8}$' and relkind = 'r' order by relname";
  return (await site.rows<{ relname: string }>(text)).map((row) => row.relname);
}

/** How many finished jobs of a queue history has, counted line by line. */
export async function remembered(site: Site, queue: string, outcome = 'succeeded'): Promise<number> {
  const [row] = await site.rows<{ jobs: number }>(
    `select count(*)::integer as jobs
    from lineshaft.history h cross join lateral unnest(string_to_array(h.entries, e'\\n')) as e (line)
    join lineshaft.lane l on l.id = (e.line::json ->> 0)::integer join lineshaft.queue q on q.id = l.queue_id
    where q.name = $1 and e.line::json ->> 1 = $2`,
    [queue, outcome],
  );
  return row?.jobs ?? -1;
}
