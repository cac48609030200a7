-- Workers whose lease has run out, but not before a full lease has passed since the database came up, and since who asks
-- has been connected. $1 heard_ms double precision: for how long that is
-- Returns id, worker_id. Index: worker_expiry (its bound is a time that does not pass within the statement). Called by: the rescuer.
select w.id, w.worker_id
from lineshaft.worker w
where w.lease_until < now()
  and w.lease_ms <= $1::double precision
  and pg_postmaster_start_time() + w.lease_ms * interval '1 millisecond' < clock_timestamp()
order by w.lease_until
limit 100
