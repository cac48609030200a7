-- Puts jobs that did not end for good where they go next: ready (given back, or tried again at once), later (retry, snooze),
-- dead, blocked. Workers are told of queues that got ready jobs. All or nothing, as complete.
-- $1 leases bigint[], $2 finished bigint[], $3 moves json: an array of {id, fence, to, attempt, delay (ms; without it
-- the job is due when it was), errors, reason, detail, keep (ms), queue (of those that go to ready)}
-- Locks: key share on the leases, the jobs. Index: lease_pkey, job_pkey. Called by: the completion flusher.
with held as materialized (
  select l.id from lineshaft.lease l where l.id = any ($1::bigint[]) for key share
),
wanted as materialized (
  -- Looked up one by one, whatever the planner takes the table for: a plan is made once, perhaps while it is empty.
  select w.*, j.place
  from json_to_recordset($3::json) as w (
    id uuid, fence integer, "to" text, attempt smallint, delay double precision, errors jsonb, reason text, detail jsonb,
    keep double precision, queue bigint
  )
  cross join lateral (
    select k.ctid as place from lineshaft.job k where k.id = w.id and k.fence = w.fence limit 1
  ) j
),
moved as (
  update lineshaft.job j
  set fence = j.fence + 1,
    attempt = w.attempt,
    errors = coalesce(w.errors, j.errors),
    due = coalesce(clock_timestamp() + w.delay * interval '1 millisecond', j.due)
  from wanted w
  -- A job that moves on between the look and this is left out, and the batch is refused.
  where j.ctid = w.place and not (j.fence is distinct from w.fence)
  returning j.id, j.seq, j.due, j.lane, j.priority, w."to", w.reason, w.detail, w.keep, w.queue
),
released as (
  delete from lineshaft.lease l where l.id = any ($2::bigint[])
),
to_ready as (
  insert into lineshaft.ready (due, seq, lane, priority, job_id)
  select m.due, m.seq, m.lane, m.priority, m.id from moved m where m."to" = 'ready'
),
to_later as (
  insert into lineshaft.later (due, seq, lane, priority, job_id, reason)
  select m.due, m.seq, m.lane, m.priority, m.id, coalesce(m.reason, 'r')::"char" from moved m where m."to" = 'later'
),
to_dead as (
  insert into lineshaft.dead (job_id, lane, reason, expires_at)
  select m.id, m.lane, m.reason, now() + m.keep * interval '1 millisecond' from moved m where m."to" = 'dead'
),
to_blocked as (
  insert into lineshaft.blocked (job_id, lane, reason, detail)
  select m.id, m.lane, m.reason, coalesce(m.detail, '{}') from moved m where m."to" = 'blocked'
)
select lineshaft.demand((select count(*) from held), cardinality($1::bigint[])::bigint),
  lineshaft.demand((select count(*) from moved), json_array_length($3::json)::bigint),
  case
    when exists (select from lineshaft.waiter where until > now())
    then lineshaft.announce(array(select m.id from moved m where m."to" = 'dead'))
  end,
  case
    when exists (select from moved m where m."to" = 'ready')
    then lineshaft.wake(array(select distinct m.queue from moved m where m."to" = 'ready'), false, 'always')
  end
