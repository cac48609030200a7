-- Takes back jobs whose own lease has lapsed; see the function. $1 max_rescues integer, $2 heard_ms double precision
-- Returns job_id, fence, worker_id, buried boolean. Index: job_lease_until. Called by: the rescuer.
select r.job_id, r.fence, r.worker_id, r.buried from lineshaft.rescue_jobs($1::integer, $2::double precision) r
