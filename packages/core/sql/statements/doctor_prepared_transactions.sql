-- Prepared transactions that nobody has ended for long: they keep their locks and pin vacuum, also over
-- restarts.
-- $1 open_ms double precision: from which age on
-- Returns gid, owner, since text. Locks: none. Called by: doctor.
select p.gid, p.owner, p.prepared::text as since
from pg_prepared_xacts p
where p.database = current_database()
  and p.prepared < clock_timestamp() - $1::double precision * interval '1 millisecond'
order by p.prepared
limit 20
