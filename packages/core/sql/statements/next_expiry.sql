-- How long until the next lease runs out if it is not renewed, in ms; 0 or less: it has. Returns worker_ms of workers,
-- job_ms of single jobs; null where there is none. Index: worker_expiry, job_lease_until. Called by: the rescuer.
select
  (
    select extract(epoch from w.lease_until - clock_timestamp()) * 1000
    from lineshaft.worker w
    -- The row for workers that poll never runs out.
    where w.lease_until < 'infinity'
    order by w.lease_until
    limit 1
  ) as worker_ms,
  (
    select extract(epoch from l.until - clock_timestamp()) * 1000
    from lineshaft.job_lease l
    order by l.until
    limit 1
  ) as job_ms
