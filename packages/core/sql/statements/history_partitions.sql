-- The partitions of history: name, day (date), whether it is being detached.
select c.relname as name, to_date(right(c.relname, 8), 'YYYYMMDD')::text as day, i.inhdetachpending as detaching
from pg_inherits i
join pg_class c on c.oid = i.inhrelid
where i.inhparent = 'lineshaft.history'::regclass
order by c.relname
