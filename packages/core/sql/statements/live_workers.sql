-- The workers that hold their lease and go on claiming.
-- Returns worker_id, build, tags text[], kinds text[], queues text[] (slugs), offers jsonb, slots. Locks: none.
-- Called by: doctor, why, queue show, workers whose jobs prefer others.
select w.worker_id, w.build, w.tags, w.kinds, w.queues, w.offers, w.slots
from lineshaft.worker w
where w.lease_until >= clock_timestamp() and not w.stopping
