-- How many dead rows the tables of the hot path have, as the statistics say.
-- Returns name, live bigint, dead bigint, vacuumed_at text (null: never). Locks: none. Called by: doctor.
select s.relname as name, s.n_live_tup as live, s.n_dead_tup as dead,
  greatest(s.last_autovacuum, s.last_vacuum)::text as vacuumed_at
from pg_stat_all_tables s
where s.schemaname = 'lineshaft' and s.relname in ('job', 'ready', 'later', 'lease', 'unique_key')
order by s.relname
