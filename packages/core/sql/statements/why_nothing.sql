-- What there is of a queue or a kind besides jobs to claim. $1 lanes integer[] (proper; their keyed lanes go along), $2 rows integer: looks at no more
-- Returns running integer, blocked integer, later integer (of the first $2 that come due), next_ms (the first of them;
-- null where none of the first $2 is of these lanes), now_ms. Locks: none. Index: later_due, lease_pkey, job_pkey.
-- Called by: why, where nothing is ready.
with soon as materialized (
  select w.due
  from (select w.due, w.lane from lineshaft.later w order by w.due, w.seq limit $2::integer) w
  join lineshaft.lane l on l.id = w.lane
  where coalesce(l.base, l.id) = any ($1::integer[])
)
select
  (
    select count(*)::integer
    from (select e.job_ids, e.fences from lineshaft.lease e order by e.id desc limit $2::integer) e
    cross join lateral unnest(e.job_ids, e.fences) as h (id, fence)
    join lineshaft.job k on k.id = h.id and k.fence = h.fence
    join lineshaft.lane l on l.id = k.lane
    where coalesce(l.base, l.id) = any ($1::integer[])
  ) as running,
  (
    select count(*)::integer
    from (select b.lane from lineshaft.blocked b limit $2::integer) b
    join lineshaft.lane l on l.id = b.lane
    where coalesce(l.base, l.id) = any ($1::integer[])
  ) as blocked,
  (select count(*)::integer from soon) as later,
  (select (extract(epoch from min(s.due)) * 1000)::double precision from soon s) as next_ms,
  (extract(epoch from clock_timestamp()) * 1000)::double precision as now_ms
