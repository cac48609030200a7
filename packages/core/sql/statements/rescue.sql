-- Gives back the jobs of a dead worker; see the function. $1 worker bigint, $2 max_rescues integer
-- Returns returned integer, buried integer, job_ids uuid[].
select r.returned, r.buried, r.job_ids from lineshaft.rescue($1::bigint, $2::integer) r
