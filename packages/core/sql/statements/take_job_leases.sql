-- Gives jobs that start a lease of their own, each of this batch's. $1 worker bigint, $2 ids uuid[], $3 leases bigint[],
-- $4 fences integer[], $5 lease_ms integer[]
-- Index: job_lease_pkey. Called by: the worker, before the attempts run.
insert into lineshaft.job_lease as l (job_id, worker, lease, fence, lease_ms, until)
select t.id, $1::bigint, t.lease, t.fence, t.ms, clock_timestamp() + t.ms * interval '1 millisecond'
from unnest($2::uuid[], $3::bigint[], $4::integer[], $5::integer[]) as t (id, lease, fence, ms)
order by t.id
on conflict (job_id) do update
set worker = excluded.worker, lease = excluded.lease, fence = excluded.fence, lease_ms = excluded.lease_ms,
  until = excluded.until
