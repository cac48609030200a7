-- Takes jobs of a lane that were left to the workers which they prefer, and have waited for long enough: of the first
-- of the lane, those that were due at least so long ago.
-- $1 worker bigint, $2 lane integer, $3 take integer, $4 wait_ms double precision (0: nobody is there whom they prefer)
-- Returns rows as claim_lane, and then always one that has only a fourth field: in how many ms the first of the rest
-- may be taken (0: now), null where nothing is left.
-- Locks, index: as claim_lane; it reads at most $3 + 100 rows of ready. Called by: the claim loop.
with heads as materialized (
  select r.ctid as place, r.due
  from lineshaft.ready r
  where r.lane = $2::integer
  order by r.priority desc, r.due, r.seq
  limit $3::integer + 100
),
overdue as materialized (
  select h.place
  from heads h
  where h.due <= clock_timestamp() - $4::double precision * interval '1 millisecond'
  limit $3::integer
),
picked as materialized (
  select r.ctid as place
  from lineshaft.ready r
  where r.ctid = any (array(select o.place from overdue o))
  for update skip locked
),
taken as (
  delete from lineshaft.ready
  where ctid = any (array(select p.place from picked p))
  returning job_id
),
claimed as materialized (
  select j.* from lineshaft.job j where j.id = any (array(select t.job_id from taken t)) order by j.priority desc, j.due, j.seq
),
leased as (
  insert into lineshaft.lease (worker, job_ids, fences)
  select $1::bigint, array_agg(c.id), array_agg(c.fence)
  from claimed c
  having count(*) > 0
  returning id
)
select l.id as lease, c.id, c.lane, (date_part('epoch', c.created_at) * 1000)::bigint as ms, c.payload,
  case
    when c.fence = 0 and c.version = 1 and c.options is null and c.due = c.created_at then null
    else json_build_array(
      c.fence, c.attempt, c.rescued, c.version, c.options, c.errors,
      (extract(epoch from c.due - c.created_at) * 1000)::bigint
    )
  end as rest
from leased l
cross join claimed c
union all
select null, null, null,
  (
    select ceil(greatest($4::double precision - date_part('epoch', clock_timestamp() - min(h.due)) * 1000, 0))::bigint
    from heads h
    where h.place not in (select o.place from overdue o)
  ),
  null, null
