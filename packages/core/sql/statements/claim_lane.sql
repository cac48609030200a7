-- Takes up to $3 jobs of one lane, in order, under one new lease.
-- $1 worker bigint, $2 lane integer, $3 take integer
-- Returns a row per job: lease, id, lane, created (ms), payload, and null for a job that is new and plain, otherwise
-- the array [fence, attempt, rescued, version, options, errors, due (ms after created)].
-- Locks: the taken rows of ready (skip locked); key share on the worker's row, so that a rescued worker claims nothing.
-- Index: ready_order, job_pkey. Called by: the claim loop.
with picked as materialized (
  select r.ctid
  from lineshaft.ready r
  where r.lane = $2::integer
  order by r.priority desc, r.due, r.seq
  limit $3::integer
  for update skip locked
),
taken as (
  delete from lineshaft.ready
  where ctid = any (array(select p.ctid from picked p))
  -- One that was moved while it was waited for stays, for the next claim.
  returning job_id
),
claimed as materialized (
  -- One walk through the index for all of them: a look-up for each takes half as long again, and more than sorting them.
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
