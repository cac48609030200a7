-- Jobs that are alive or failed, newest place in their order first where they wait. $1 state text (ready, scheduled,
-- retrying, running, blocked, failed), $2 lanes integer[] (proper; their keyed lanes go along), $3 most integer
-- Returns id, state, lane (proper), priority, attempt, created_at, due, reason, error (the last one). Bounded by $3.
with place as materialized (
  select l.id, l.id as base from unnest($2::integer[]) as l (id)
  union all
  select k.id, k.base from unnest($2::integer[]) as b (id) join lineshaft.lane k on k.base = b.id and k.id < 0
),
places as (
  (select r.job_id, p.base, 'ready' as state, null::text as reason, r.due as at
   from lineshaft.ready r join place p on p.id = r.lane where $1 = 'ready' order by r.due desc limit $3::integer)
  union all
  (select w.job_id, p.base, case w.reason when 'r' then 'retrying' else 'scheduled' end, null, w.due
   from lineshaft.later w join place p on p.id = w.lane
   where $1 in ('scheduled', 'retrying') and w.reason = case $1 when 'retrying' then 'r' else 's' end
   order by w.due limit $3::integer)
  union all
  (select b.job_id, p.base, 'blocked', b.reason, b.since
   from lineshaft.blocked b join place p on p.id = b.lane where $1 = 'blocked' order by b.since desc limit $3::integer)
  union all
  (select d.job_id, p.base, 'failed', d.reason, d.failed_at
   from lineshaft.dead d join place p on p.id = d.lane where $1 = 'failed' order by d.failed_at desc limit $3::integer)
  union all
  (select k.id, p.base, 'running', null, e.taken_at
   from lineshaft.lease e
   cross join lateral unnest(e.job_ids, e.fences) as h (id, fence)
   join lineshaft.job k on k.id = h.id and k.fence = h.fence
   join place p on p.id = k.lane
   where $1 = 'running'
   order by e.taken_at desc limit $3::integer)
)
select j.id, s.state, s.base as lane, j.priority, j.attempt, j.created_at, j.due, s.reason, s.at, j.errors -> -1 as error
from places s
join lineshaft.job j on j.id = s.job_id
limit $3::integer
