-- Renews the lease of a worker, all of its batches at once, and tells what it must know now and then: cancellations of
-- the last minutes, a sum over the settings of all queues, circuits and limits, its leases, and what comes next.
-- $1 worker bigint, $2 running integer, $3 stopping boolean, $4 queues text[]
-- Returns clock (ms), cancelled uuid[], settings text, leases bigint[], and the columns of outlook.sql: one row if the
-- worker is still known, none if it was rescued meanwhile: then it registers anew.
update lineshaft.worker w
set heartbeat_at = clock_timestamp(), lease_until = clock_timestamp() + w.lease_ms * interval '1 millisecond',
  running = $2::integer, stopping = $3::boolean, queues = $4::text[]
from lineshaft.outlook o
where w.id = $1::bigint
returning (extract(epoch from clock_timestamp()) * 1000)::bigint as clock,
  (select array_agg(c.job_id) from lineshaft.cancellation c) as cancelled,
  (select count(*) || ':' || coalesce(max(extract(epoch from q.updated_at)), 0) from lineshaft.queue q)
    || (select ':' || count(*) || ':' || coalesce(sum(c.told), 0) from lineshaft.circuit c)
    || (select ':' || count(*) || ':' || coalesce(max(extract(epoch from m.updated_at)), 0) from lineshaft.limit m)
    as settings,
  (select array_agg(l.id) from lineshaft.lease l where l.worker = $1::bigint) as leases,
  o.job_ms, o.schedule_ms, o.resume_ms, o.ticks_wait, o.any_ready, o.run_ms
