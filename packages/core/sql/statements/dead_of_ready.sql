-- How many places in the order book are dead and not vacuumed yet, as far as the statistics have heard (they lag by a second).
-- Returns dead (count). Locks: none. Called by: ReadyVacuum.
select pg_stat_get_dead_tuples('lineshaft.ready'::regclass) as dead
