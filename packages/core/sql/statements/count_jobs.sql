-- How many jobs of each lane are where, counted no further than is cheap. $1 lanes integer[], $2 most integer: of each
-- lane in ready, and of all lanes together ten times as many elsewhere
-- Returns lane, ready, later, blocked, dead, running. Index: ready_order. Called by: queue show and queue list.
with later as (
  select w.lane, least(count(*), $2::integer)::integer as jobs
  from (select w.lane from lineshaft.later w where w.lane = any ($1::integer[]) limit 10 * $2::integer) w
  group by w.lane
),
blocked as (
  select b.lane, least(count(*), $2::integer)::integer as jobs
  from (select b.lane from lineshaft.blocked b where b.lane = any ($1::integer[]) limit 10 * $2::integer) b
  group by b.lane
),
dead as (
  select d.lane, least(count(*), $2::integer)::integer as jobs
  from (select d.lane from lineshaft.dead d where d.lane = any ($1::integer[]) limit 10 * $2::integer) d
  group by d.lane
),
running as (
  select k.lane, count(*)::integer as jobs
  from lineshaft.lease e
  cross join lateral unnest(e.job_ids, e.fences) as h (id, fence)
  join lineshaft.job k on k.id = h.id and k.fence = h.fence
  where k.lane = any ($1::integer[])
  group by k.lane
)
select l.id as lane,
  (select count(*)::integer from (select from lineshaft.ready r where r.lane = l.id limit $2::integer) x) as ready,
  coalesce((select later.jobs from later where later.lane = l.id), 0) as later,
  coalesce((select blocked.jobs from blocked where blocked.lane = l.id), 0) as blocked,
  coalesce((select dead.jobs from dead where dead.lane = l.id), 0) as dead,
  coalesce((select running.jobs from running where running.lane = l.id), 0) as running
from lineshaft.lane l
where l.id = any ($1::integer[])
