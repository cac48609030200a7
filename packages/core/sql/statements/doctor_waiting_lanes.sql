-- The lanes that have jobs to claim, with what a worker must have for them.
-- $1 lanes integer: at most so many, $2 jobs integer: counts no further than this
-- Returns kind, requirements text[], pin, build, queue, slug, project, state, resume_at text, tags text[] (of
-- the queue), needs jsonb (of one job), jobs bigint. Locks: none. Index: ready_order, a probe a lane and its first entries. Called by:
-- doctor.
with recursive hop as (
  -- Keyed lanes by themselves: thousands of them leave room for the others.
  (select r.lane, 1 as n from lineshaft.ready r where r.lane > 0 order by r.lane limit 1)
  union all
  select (select r.lane from lineshaft.ready r where r.lane > h.lane order by r.lane limit 1), h.n + 1
  from hop h
  where h.lane is not null and h.n < $1::integer
),
keyed_hop as (
  (select r.lane, 1 as n from lineshaft.ready r where r.lane < 0 order by r.lane limit 1)
  union all
  select (select r.lane from lineshaft.ready r where r.lane > h.lane and r.lane < 0 order by r.lane limit 1), h.n + 1
  from keyed_hop h
  where h.lane is not null and h.n < $1::integer
),
-- A keyed lane asks of a worker what the lane that it stands for asks.
waiting as (
  select coalesce(l.base, l.id) as lane, sum(c.jobs) as jobs
  from (select hop.lane from hop union all select k.lane from keyed_hop k) h
  join lineshaft.lane l on l.id = h.lane
  cross join lateral (
    select count(*) as jobs from (select from lineshaft.ready r where r.lane = l.id limit $2::integer) c
  ) c
  group by 1
)
select l.kind, l.requirements, l.pin, l.build, q.name as queue, q.slug, p.name as project, q.state,
  q.resume_at::text as resume_at, q.tags, coalesce(l.wants -> 'needs', q.needs) as needs,
  least(h.jobs, $2::integer)::bigint as jobs
from waiting h
join lineshaft.lane l on l.id = h.lane
join lineshaft.queue q on q.id = l.queue_id
join lineshaft.project p on p.id = q.project_id
order by l.id
