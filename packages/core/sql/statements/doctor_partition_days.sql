-- The days, by the clock of the database, for which a history partition must be there.
-- $1 ahead integer: how many days after today
-- Returns day text (YYYY-MM-DD), ahead integer, present boolean. Locks: none. Called by: doctor.
select d.day::text as day, d.day - d.today as ahead,
  exists (
    select from pg_inherits i
    join pg_class c on c.oid = i.inhrelid
    where i.inhparent = to_regclass('lineshaft.history') and not i.inhdetachpending
      and c.relname = 'history_' || to_char(d.day, 'YYYYMMDD')
  ) as present
from (
  select t.today + n as day, t.today
  from (select (clock_timestamp() at time zone 'UTC')::date as today) t
  cross join generate_series(0, $1::integer) n
) d
order by d.day
