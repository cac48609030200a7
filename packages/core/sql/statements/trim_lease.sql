-- Shrinks a lease to the jobs that still run under it, so that nothing hangs on the slowest of a batch.
-- $1 lease bigint, $2 ids uuid[], $3 fences integer[]
-- Locks: the lease. Called by: the heartbeat.
update lineshaft.lease set job_ids = $2::uuid[], fences = $3::integer[] where id = $1::bigint
