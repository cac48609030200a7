-- How many jobs of its lane go before a job that is ready, and how fast its lane moved lately.
-- $1 id uuid, $2 jobs integer: counts no further than this, $3 batches integer: looks at no more rows of history
-- Returns ahead integer, finished integer, span_ms: so many jobs of batches with jobs of the lane finished in so long.
-- Locks: none. Index: job_pkey, ready_order (the first $2 entries of the lane), history_finished. Called by: why.
with at as materialized (
  select j.lane, j.priority, j.due, j.seq from lineshaft.job j where j.id = $1::uuid
),
recent as materialized (
  select h.finished_at, h.ids, h.lanes
  from lineshaft.history h
  where h.finished_at > now() - interval '1 minute'
  order by h.finished_at desc
  limit $3::integer
)
select
  (
    select count(*)::integer
    from (
      select r.priority, r.due, r.seq
      from lineshaft.ready r
      where r.lane = a.lane
      order by r.priority desc, r.due, r.seq
      limit $2::integer
    ) r
    where r.priority > a.priority or (r.priority = a.priority and (r.due, r.seq) < (a.due, a.seq))
  ) as ahead,
  (select coalesce(sum(cardinality(c.ids) / cardinality(c.lanes)), 0)::integer from recent c where lineshaft.base_of(a.lane) = any (c.lanes)) as finished,
  (select (extract(epoch from clock_timestamp() - min(c.finished_at)) * 1000)::double precision from recent c) as span_ms
from at a
