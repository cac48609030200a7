-- How many jobs of each lane are where, each count capped so that it stays cheap. $1 lanes integer[], $2 most integer
-- Returns lane, ready, later, blocked, dead, running.
select l.id as lane,
  (select count(*)::integer from (select from lineshaft.ready r where r.lane = l.id limit $2::integer) x) as ready,
  (select count(*)::integer from (select from lineshaft.later w where w.lane = l.id limit $2::integer) x) as later,
  (select count(*)::integer from (select from lineshaft.blocked b where b.lane = l.id limit $2::integer) x) as blocked,
  (select count(*)::integer from (select from lineshaft.dead d where d.lane = l.id limit $2::integer) x) as dead,
  (
    select count(*)::integer
    from lineshaft.lease e
    cross join lateral unnest(e.job_ids, e.fences) as h (id, fence)
    join lineshaft.job k on k.id = h.id and k.fence = h.fence
    where k.lane = l.id
  ) as running
from lineshaft.lane l
where l.id = any ($1::integer[])
