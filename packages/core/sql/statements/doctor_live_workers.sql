-- The workers that hold their lease and go on claiming.
-- Returns worker_id, build, tags text[], kinds text[], queues text[] (slugs). Locks: none. Called by: doctor.
select w.worker_id, w.build, w.tags, w.kinds, w.queues
from lineshaft.worker w
where w.lease_until >= clock_timestamp() and not w.stopping
