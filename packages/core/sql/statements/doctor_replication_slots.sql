-- Replication slots that pin vacuum: nobody reads them, or their reader is far behind.
-- $1 xids bigint: how far behind, in transactions
-- Returns name, kind (physical or logical), active boolean, behind bigint, rows boolean: whether it pins the
-- rows of tables (else of catalogs only). Locks: none. Called by: doctor.
select s.slot_name as name, s.slot_type as kind, s.active,
  greatest(age(s.xmin), age(s.catalog_xmin)) as behind, s.xmin is not null as rows
from pg_replication_slots s
where (s.xmin is not null or s.catalog_xmin is not null)
  and (not s.active or greatest(age(s.xmin), age(s.catalog_xmin)) > $1::bigint)
order by s.slot_name
limit 20
