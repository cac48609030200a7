-- Renews the lease of a worker out of a rest, in which it held nothing. Least work: a job waits for it. What else heartbeats
-- bring home comes with the next.
-- $1 worker bigint
-- Returns id: one row if the worker is still known, none if it was rescued meanwhile: then it registers anew.
-- Index: worker_pkey. Called by: a worker that lets the database sleep.
update lineshaft.worker w
set heartbeat_at = clock_timestamp(), lease_until = clock_timestamp() + w.lease_ms * interval '1 millisecond'
where w.id = $1::bigint
returning w.id
