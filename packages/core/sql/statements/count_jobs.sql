-- How many jobs of each lane are where, with those of its keyed lanes, counted no further than is cheap. $1 lanes integer[]
-- (proper), $2 most integer: of each lane in ready, and of all lanes together ten times as many elsewhere
-- Returns lane, ready, later, blocked, dead, running. Index: ready_order, lane_keyed. Called by: queue show and queue list.
with place as materialized (
  select l.id, l.id as base from unnest($1::integer[]) as l (id)
  union all
  select k.id, k.base from unnest($1::integer[]) as b (id) join lineshaft.lane k on k.base = b.id and k.id < 0
),
later as (
  select w.base, least(count(*), $2::integer)::integer as jobs
  from (select p.base from lineshaft.later w join place p on p.id = w.lane limit 10 * $2::integer) w
  group by w.base
),
blocked as (
  select b.base, least(count(*), $2::integer)::integer as jobs
  from (select p.base from lineshaft.blocked b join place p on p.id = b.lane limit 10 * $2::integer) b
  group by b.base
),
dead as (
  select d.base, least(count(*), $2::integer)::integer as jobs
  from (select p.base from lineshaft.dead d join place p on p.id = d.lane limit 10 * $2::integer) d
  group by d.base
),
running as (
  select p.base, count(*)::integer as jobs
  from lineshaft.lease e
  cross join lateral unnest(e.job_ids, e.fences) as h (id, fence)
  join lineshaft.job k on k.id = h.id and k.fence = h.fence
  join place p on p.id = k.lane
  group by p.base
),
ready as (
  select p.base, least(sum(r.jobs), $2::integer)::integer as jobs
  from place p
  cross join lateral (
    select count(*) as jobs from (select from lineshaft.ready r where r.lane = p.id limit $2::integer) x
  ) r
  where p.id > 0
  group by p.base
),
-- Of keyed lanes all that are ready are counted together: there may be many, and each be long.
keyed as (
  select x.base, count(*)::integer as jobs
  from (
    select p.base
    from place p
    cross join lateral (select from lineshaft.ready r where r.lane = p.id limit $2::integer) r
    where p.id < 0
    limit 10 * $2::integer
  ) x
  group by x.base
)
select l.id as lane,
  least(
    coalesce((select r.jobs from ready r where r.base = l.id), 0) + coalesce((select k.jobs from keyed k where k.base = l.id), 0),
    $2::integer
  ) as ready,
  coalesce((select later.jobs from later where later.base = l.id), 0) as later,
  coalesce((select blocked.jobs from blocked where blocked.base = l.id), 0) as blocked,
  coalesce((select dead.jobs from dead where dead.base = l.id), 0) as dead,
  coalesce((select running.jobs from running where running.base = l.id), 0) as running
from lineshaft.lane l
where l.id = any ($1::integer[])
