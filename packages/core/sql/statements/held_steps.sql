-- Of steps whose jobs wait or run: who has them, and since when. $1 ids uuid[]. Returns id, worker_id, taken (ms since
-- 1970); those that nobody has are left out. Reads all leases, of which there are few. Called by: RunBook, to show steps.
select h.id, w.worker_id, (date_part('epoch', l.taken_at) * 1000)::bigint as taken
from lineshaft.lease l
cross join lateral unnest(l.job_ids, l.fences) as h (id, fence)
join lineshaft.job j on j.id = h.id and j.fence = h.fence
join lineshaft.worker w on w.id = l.worker
where l.job_ids && $1::uuid[] and h.id = any ($1::uuid[])
