-- Says that a job which the next rescue would bury is being started. $1 lease bigint, $2 job uuid
-- Locks: the lease. Index: lease_pkey. Called by: the runner, before the job runs.
update lineshaft.lease set suspects = suspects || $2::uuid where id = $1::bigint
