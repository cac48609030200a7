-- The lanes of a queue, or of a kind, that have jobs to claim. $1 queue_id bigint (null: any), $2 kind text (null: any),
-- $3 lanes integer: at most so many, $4 jobs integer: counts no further than this
-- Returns lane, queue_id, kind, requirements, pin, build, wants, waiting, due_ms (of the first in order), now_ms.
-- Locks: none. Index: lane_content, ready_order (a probe a lane, and its first $4 entries). Called by: why.
select l.id as lane, l.queue_id, l.kind, l.requirements, l.pin, l.build, l.wants,
  (select count(*)::integer from (select from lineshaft.ready r where r.lane = l.id limit $4::integer) c) as waiting,
  (extract(epoch from h.due) * 1000)::double precision as due_ms,
  (extract(epoch from clock_timestamp()) * 1000)::double precision as now_ms
from lineshaft.lane l
cross join lateral (
  select r.due
  from lineshaft.ready r
  where r.lane = l.id
  order by r.priority desc, r.due, r.seq
  limit 1
) h
where ($1::bigint is null or l.queue_id = $1::bigint) and ($2::text is null or l.kind = $2::text)
-- Keyed lanes, of which there may be thousands, leave room for the others.
order by l.id < 0, abs(l.id)
limit $3::integer
