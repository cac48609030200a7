-- After runs that were due have been looked at: marks of those that do not exist go, and those whose time to wake is still
-- over are looked at again in 5 s, not at once: they are paused, or somebody is about to write them. $1 ids uuid[]
-- Returns nothing. Locks: the runs, none that is waited for. Index: run_pkey, mark_run. Called by: Advancer.
with orphans as (
  delete from lineshaft.mark m
  where m.run_id = any ($1::uuid[]) and not exists (select from lineshaft.run r where r.id = m.run_id)
)
update lineshaft.run r
set wake_at = clock_timestamp() + interval '5 seconds'
where r.id = any (array(
  select k.id from lineshaft.run k
  where k.id = any ($1::uuid[]) and k.wake_at <= clock_timestamp() - interval '1 second'
  for no key update skip locked
))
