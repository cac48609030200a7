-- Sessions whose transaction keeps vacuum from removing dead rows here: those that are old in time, and
-- senders of replication whose standby holds an old snapshot. The text of their queries is never read.
-- $1 open_ms double precision: from which age on, $2 xids bigint: the same in transactions, for senders
-- Returns pid, application, username, state, since text, age_ms double precision. Locks: none. Called by:
-- doctor.
select a.pid, a.application_name as application, a.usename as username,
  coalesce(a.state, a.backend_type) as state,
  coalesce(a.xact_start, a.backend_start)::text as since,
  extract(epoch from clock_timestamp() - coalesce(a.xact_start, a.backend_start))::double precision * 1000
    as age_ms
from pg_stat_activity a
where a.pid <> pg_backend_pid()
  and (a.backend_xmin is not null or a.backend_xid is not null)
  and case a.backend_type
    when 'walsender' then age(a.backend_xmin) > $2::bigint
    else a.datname = current_database() and a.backend_type <> 'autovacuum worker'
      and a.xact_start < clock_timestamp() - $1::double precision * interval '1 millisecond'
  end
order by a.xact_start nulls first
limit 20
