-- Renews the lease of a worker, all of its batches at once. $1 worker bigint, $2 running integer, $3 stopping boolean, $4 queues text[]
-- Returns id, clock (ms): one row if the worker is still known, none if it was rescued meanwhile: then it registers anew.
update lineshaft.worker
set heartbeat_at = clock_timestamp(), lease_until = clock_timestamp() + lease_ms * interval '1 millisecond',
  running = $2::integer, stopping = $3::boolean, queues = $4::text[]
where id = $1::bigint
returning id, (extract(epoch from clock_timestamp()) * 1000)::bigint as clock
