-- What a worker must know now and then: cancellations of the last minutes, a sum over the settings of
-- all queues and circuits, its leases.
-- $1 worker bigint. Returns cancelled uuid[], reasons text[], settings text, leases bigint[].
select
  (select array_agg(c.job_id) from lineshaft.cancellation c),
  (select array_agg(c.reason) from lineshaft.cancellation c),
  (select count(*) || ':' || coalesce(max(extract(epoch from q.updated_at)), 0) from lineshaft.queue q)
    || (select ':' || count(*) || ':' || coalesce(sum(c.told), 0) from lineshaft.circuit c)
    || (select ':' || count(*) || ':' || coalesce(max(extract(epoch from m.updated_at)), 0) from lineshaft.limit m),
  (select array_agg(l.id) from lineshaft.lease l where l.worker = $1::bigint)
