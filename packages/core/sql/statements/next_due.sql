-- How long until the next job comes due. Returns wait_ms double precision (0 or less: now), no row if none waits. Index: later_due.
select extract(epoch from l.due - clock_timestamp()) * 1000 as wait_ms
from lineshaft.later l
order by l.due, l.seq
limit 1
