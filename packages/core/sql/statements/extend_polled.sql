-- Says that the workers of steps live; see the function. $1 ids uuid[]. Returns job_id of those that somebody has.
-- Index: job_lease_pkey. Called by: ReportBook.
select e.job_id from lineshaft.extend_polled($1::uuid[]) e
