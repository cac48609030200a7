-- Renews leases of single jobs that were heard of. $1 ids uuid[], $2 fences integer[]
-- Returns the ids of those that had not lapsed. Index: job_lease_pkey. Called by: the worker.
update lineshaft.job_lease l
set until = clock_timestamp() + l.lease_ms * interval '1 millisecond'
from unnest($1::uuid[], $2::integer[]) as t (id, fence)
where l.job_id = t.id and l.fence = t.fence
returning l.job_id
