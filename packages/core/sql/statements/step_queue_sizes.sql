-- How many steps wait for workers, by kind and domain; those that somebody has do not count. $1 kinds text[] (null: all)
-- Returns kind, domain (null: none), waiting bigint; only what there is. Index: lane_content, ready_order; reads `later`
-- from end to end. Called by: StepQueues.
with lane as materialized (
  select l.id, l.kind, substr(l.requirements[1], 8) as domain
  from lineshaft.lane l
  join lineshaft.queue q on q.id = l.queue_id
  where q.project_id = 1 and q.name = 'workflow' and ($1::text[] is null or l.kind = any ($1::text[]))
),
waiting as (
  select l.id as lane, r.n
  from lane l
  cross join lateral (select count(*) as n from lineshaft.ready r where r.lane = l.id) r
  where r.n > 0
  union all
  select w.lane, count(*) from lineshaft.later w group by w.lane
)
select l.kind, l.domain, sum(w.n)::bigint as waiting
from waiting w
join lane l on l.id = w.lane
group by l.kind, l.domain
