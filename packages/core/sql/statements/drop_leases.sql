-- Drops leases of which nothing is left, and that went with no write: their last jobs were cancelled, or ended in two writes
-- beside each other.
-- $1 leases bigint[]. Called by: the completion flusher.
delete from lineshaft.lease where id = any ($1::bigint[])
