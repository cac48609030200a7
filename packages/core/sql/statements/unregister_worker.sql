-- Removes a worker that stopped cleanly; fails while it still has leases (then they are rescued later).
-- The row of all workers that poll (0) stays. $1 worker bigint
delete from lineshaft.worker w
where w.id = $1::bigint and w.id > 0 and not exists (select from lineshaft.lease l where l.worker = w.id)
