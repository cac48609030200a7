-- Drops the leases of jobs that ended. $1 ids uuid[]. Called by: the completion flusher, in its transaction.
delete from lineshaft.job_lease where job_id = any ($1::uuid[])
