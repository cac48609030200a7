-- The workers that are alive, or whose lease has not been taken back yet; without the row for workers that poll.
select w.id, w.worker_id, w.name, w.build, w.tags, w.kinds, w.queues, w.slots, w.offers, w.running, w.stopping,
  w.started_at, w.heartbeat_at, w.lease_until, w.lease_until < clock_timestamp() as expired,
  exists (select from lineshaft.leader d where d.worker = w.id and d.until > clock_timestamp()) as leads
from lineshaft.worker w
where w.id > 0
order by w.started_at
