-- Removes a worker that stopped cleanly; fails while it still has leases (then they are rescued later).
-- $1 worker bigint
delete from lineshaft.worker w
where w.id = $1::bigint and not exists (select from lineshaft.lease l where l.worker = w.id)
