-- History partitions whose detaching was begun and not ended, while nobody is at it: whoever detaches holds a
-- lock.
-- Returns name. Locks: none. Called by: doctor.
select c.relname as name
from pg_inherits i
join pg_class c on c.oid = i.inhrelid
where i.inhparent = to_regclass('lineshaft.history') and i.inhdetachpending
  and not exists (
    select from pg_locks l
    where l.relation in (i.inhparent, i.inhrelid) and l.granted
      and l.database = (select d.oid from pg_database d where d.datname = current_database())
      and l.mode in ('ShareUpdateExclusiveLock', 'AccessExclusiveLock')
  )
order by c.relname
