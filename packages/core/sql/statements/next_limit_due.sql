-- How long until the next counter has room by time alone. Returns wait_ms double precision (0 or less: now), no row if
-- none waits. Index: counter_wake. Called by: the limiter.
select extract(epoch from c.wake_at - clock_timestamp()) * 1000 as wait_ms
from lineshaft.counter c
where c.wake_at is not null
order by c.wake_at
limit 1
