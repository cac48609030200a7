-- Workers whose lease ran out more than a lease ago, and that nobody has rescued: no rescuer is at work.
-- Returns worker_id, name, since text, leases bigint. Locks: none. Index: worker_expiry. Called by: doctor.
select w.worker_id, w.name, w.lease_until::text as since,
  (select count(*) from lineshaft.lease l where l.worker = w.id) as leases
from lineshaft.worker w
where w.id > 0 and w.lease_until + w.lease_ms * interval '1 millisecond' < clock_timestamp()
  and pg_postmaster_start_time() + 2 * w.lease_ms * interval '1 millisecond' < clock_timestamp()
order by w.lease_until
limit 100
