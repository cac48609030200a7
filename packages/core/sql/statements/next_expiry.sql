-- How long until the next lease of a worker runs out if it is not renewed, in ms. No row without workers. Index: worker_expiry.
select extract(epoch from w.lease_until - clock_timestamp()) * 1000 as wait_ms
from lineshaft.worker w
order by w.lease_until
limit 1
