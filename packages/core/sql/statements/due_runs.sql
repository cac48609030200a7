-- Runs that wait for somebody: their time has come, or a mark of theirs was not decided on for a second, or was left by
-- somebody who does not decide. $1 most integer. Returns run uuid, those that have waited longest first.
-- Index: run_wake, mark_pkey. Called by: Advancer.
select d.run
from (
  (
    select r.id as run, r.wake_at as since
    from lineshaft.run r
    where r.wake_at <= clock_timestamp()
    order by r.wake_at
    limit $1::integer
  )
  union all
  (
    select m.run_id, m.at
    from lineshaft.mark m
    where m.at < clock_timestamp() - interval '1 second' or m.orphan
    order by m.id
    limit $1::integer
  )
) d
group by d.run
order by min(d.since)
limit $1::integer
