-- What workers have claimed and not ended, by lane. $1 leases integer: looks at no more, the newest first
-- Returns worker_id, queue_id, kind, needs jsonb (null: what the queue says), jobs integer. Locks: none.
-- Index: lease_pkey, job_pkey. Called by: why.
select k.worker_id, l.queue_id, l.kind, l.wants -> 'needs' as needs, count(*)::integer as jobs
from (select e.worker, e.job_ids, e.fences from lineshaft.lease e order by e.id desc limit $1::integer) e
join lineshaft.worker k on k.id = e.worker and k.id > 0
cross join lateral unnest(e.job_ids, e.fences) as h (id, fence)
join lineshaft.job j on j.id = h.id and j.fence = h.fence
join lineshaft.lane l on l.id = j.lane
group by k.worker_id, l.queue_id, l.kind, l.wants -> 'needs'
