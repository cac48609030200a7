-- Of steps whose jobs wait or run: who has them, and since when. $1 ids uuid[]. Returns id, worker_id, taken (ms since
-- 1970); those that nobody has are left out. Of workers that poll the name that they said. It reads the leases of workers that
-- do not poll, a row for each batch of theirs.
-- Index: job_lease_pkey, lease_pkey, lease_worker, job_pkey. Called by: RunBook, to show steps; ReportBook.
select p.job_id, p.holder as worker_id, (date_part('epoch', l.taken_at) * 1000)::bigint as taken
from lineshaft.job_lease p
join lineshaft.lease l on l.id = p.lease
cross join lateral (select from lineshaft.job j where j.id = p.job_id and j.fence = p.fence limit 1) j
where p.job_id = any ($1::uuid[]) and p.worker = 0
union all
select h.id, w.worker_id, (date_part('epoch', l.taken_at) * 1000)::bigint
from lineshaft.lease l
cross join lateral unnest(l.job_ids, l.fences) as h (id, fence)
cross join lateral (select from lineshaft.job j where j.id = h.id and j.fence = h.fence limit 1) j
join lineshaft.worker w on w.id = l.worker
where l.worker > 0 and l.job_ids && $1::uuid[] and h.id = any ($1::uuid[])
