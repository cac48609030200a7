-- What a worker must know now and then: cancellations of the last minutes and a sum over all queue settings.
-- Returns cancelled uuid[], reasons text[], settings text.
select
  (select array_agg(c.job_id) from lineshaft.cancellation c),
  (select array_agg(c.reason) from lineshaft.cancellation c),
  (select count(*) || ':' || coalesce(max(extract(epoch from q.updated_at)), 0) from lineshaft.queue q)
