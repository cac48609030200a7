-- Takes jobs of several lanes under one new lease: exactly by priority, time and sequence within each group (queue).
-- A lane that gave all it was asked for may have more rows before those of its neighbours, so of each group only
-- rows up to the earliest end of a full lane are taken. A lane that is alone in its group gives all that was read of it.
-- $1 worker bigint, $2 lanes integer[], $3 takes integer[] (per lane), $4 groups integer[] (per lane), $5 limits integer[] (per lane, of its group)
-- Returns, locks, index: as claim_lane.
with asked as (
  select a.lane, a.take, a.grp, a.most, count(*) over (partition by a.grp) = 1 as alone
  from unnest($2::integer[], $3::integer[], $4::integer[], $5::integer[]) as a (lane, take, grp, most)
),
heads as materialized (
  select a.grp, a.lane, a.take, a.most, a.alone, h.ctid as place, - h.priority as rank, h.due, h.seq
  from asked a
  cross join lateral (
    select r.ctid, r.priority, r.due, r.seq
    from lineshaft.ready r
    where r.lane = a.lane
    order by r.priority desc, r.due, r.seq
    limit a.take
    for update skip locked
  ) h
),
numbered as (
  select h.*, row_number() over (partition by h.grp order by h.rank, h.due, h.seq) as n,
    row_number() over (partition by h.lane order by h.rank, h.due, h.seq) as n_of_lane
  from heads h
  where not h.alone
),
cut as (
  select numbered.grp, min(numbered.n) as n
  from numbered
  where numbered.n_of_lane = numbered.take
  group by numbered.grp
),
taken as (
  delete from lineshaft.ready
  where ctid = any (array(
    select h.place
    from heads h
    where h.alone
    union all
    select u.place
    from numbered u
    left join cut c on c.grp = u.grp
    where u.n <= least(u.most, coalesce(c.n, u.most))
  ))
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
