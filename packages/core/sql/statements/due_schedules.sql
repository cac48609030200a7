-- Schedules that have come due, and those whose waiting tick may run now that the job before it is final. $1 most integer
-- Returns what a plan is made of, times in milliseconds: id, revision, now, cron, time_zone, every_ms, anchor, plan_from,
-- starts_at, ends_at, jitter_ms, backfill, backfill_within_ms, backfill_most, last_tick, next_tick, of_workflow.
-- Locks nothing.
-- Index: schedule_due, schedule_waiting, job_pkey.
with present as materialized (select clock_timestamp() as at)
(
  select s.id, s.revision, floor(extract(epoch from p.at) * 1000)::bigint,
    s.cron, s.time_zone, s.every_ms,
    floor(extract(epoch from s.anchor) * 1000)::bigint, floor(extract(epoch from s.plan_from) * 1000)::bigint,
    ceil(extract(epoch from s.starts_at) * 1000)::bigint, floor(extract(epoch from s.ends_at) * 1000)::bigint,
    s.jitter_ms, s.backfill, s.backfill_within_ms, s.backfill_most,
    floor(extract(epoch from s.last_tick) * 1000)::bigint, floor(extract(epoch from s.next_tick) * 1000)::bigint,
    s.workflow_schedule is not null
  from lineshaft.schedule s cross join present p
  where s.next_due <= (select n.at from present n)
  order by s.next_due, s.id
  limit $1::integer
)
union all
(
  select s.id, s.revision, floor(extract(epoch from p.at) * 1000)::bigint,
    s.cron, s.time_zone, s.every_ms,
    floor(extract(epoch from s.anchor) * 1000)::bigint, floor(extract(epoch from s.plan_from) * 1000)::bigint,
    ceil(extract(epoch from s.starts_at) * 1000)::bigint, floor(extract(epoch from s.ends_at) * 1000)::bigint,
    s.jitter_ms, s.backfill, s.backfill_within_ms, s.backfill_most,
    floor(extract(epoch from s.last_tick) * 1000)::bigint, floor(extract(epoch from s.next_tick) * 1000)::bigint,
    s.workflow_schedule is not null
  from lineshaft.schedule s cross join present p
  where s.waiting <> '{}' and not lineshaft.is_live(s.last_job_id)
    and (s.next_due is null or s.next_due > (select n.at from present n))
  order by s.id
  limit $1::integer
)
