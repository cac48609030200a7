-- Takes jobs of several lanes under one new lease, each lane for itself, in order within each.
-- $1 worker bigint, $2 lanes integer[], $3 takes integer[] (per lane)
-- Returns, locks, index: as claim_lane. Called by: the claim loop, where no lanes are to be merged.
with picked as materialized (
  select h.place
  from unnest($2::integer[], $3::integer[]) as a (lane, take)
  cross join lateral (
    select r.ctid as place
    from lineshaft.ready r
    where r.lane = a.lane
    order by r.priority desc, r.due, r.seq
    limit a.take
    for update skip locked
  ) h
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
select l.id, c.id, c.lane, (date_part('epoch', c.created_at) * 1000)::bigint, c.payload,
  case
    when c.fence = 0 and c.version = 1 and c.options is null and c.due = c.created_at then null
    else json_build_array(
      c.fence, c.attempt, c.rescued, c.version, c.options, c.errors,
      (extract(epoch from c.due - c.created_at) * 1000)::bigint
    )
  end
from leased l
cross join claimed c
