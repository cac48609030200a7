-- Drops leases under which nothing runs any more (their last jobs were cancelled).
-- $1 leases bigint[]. Called by: the completion flusher.
delete from lineshaft.lease where id = any ($1::bigint[])
