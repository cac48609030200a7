-- Jobs that are alive or failed, newest place in their order first where they wait. $1 state text (ready, scheduled,
-- retrying, running, blocked, failed), $2 lanes integer[], $3 most integer
-- Returns id, state, lane, priority, attempt, created_at, due, reason, error (the last one). Bounded by $3.
with places as (
  (select r.job_id, 'ready' as state, null::text as reason, r.due as at
   from lineshaft.ready r where $1 = 'ready' and r.lane = any ($2::integer[]) order by r.due desc limit $3::integer)
  union all
  (select w.job_id, case w.reason when 'r' then 'retrying' else 'scheduled' end, null, w.due
   from lineshaft.later w
   where $1 in ('scheduled', 'retrying') and w.reason = case $1 when 'retrying' then 'r' else 's' end and w.lane = any ($2::integer[])
   order by w.due limit $3::integer)
  union all
  (select b.job_id, 'blocked', b.reason, b.since
   from lineshaft.blocked b where $1 = 'blocked' and b.lane = any ($2::integer[]) order by b.since desc limit $3::integer)
  union all
  (select d.job_id, 'failed', d.reason, d.failed_at
   from lineshaft.dead d where $1 = 'failed' and d.lane = any ($2::integer[]) order by d.failed_at desc limit $3::integer)
  union all
  (select k.id, 'running', null, e.taken_at
   from lineshaft.lease e
   cross join lateral unnest(e.job_ids, e.fences) as h (id, fence)
   join lineshaft.job k on k.id = h.id and k.fence = h.fence
   where $1 = 'running' and k.lane = any ($2::integer[])
   order by e.taken_at desc limit $3::integer)
)
select j.id, s.state, j.lane, j.priority, j.attempt, j.created_at, j.due, s.reason, s.at, j.errors -> -1 as error
from places s
join lineshaft.job j on j.id = s.job_id
limit $3::integer
