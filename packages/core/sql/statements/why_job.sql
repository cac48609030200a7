-- Where a job is that is not finished, or failed for good, and who has it. $1 id uuid
-- Returns one row, or none: now, the lane with what decides who may run its jobs, state, and times in ms since 1970.
-- Not the payload, which may be large. Locks: none. Index: job_pkey, ready_order, later_due, lease_worker. Called by: why.
with at as materialized (
  select j.id, j.lane, j.priority, j.due, j.seq, j.fence, j.attempt, j.rescued, j.options ->> 'maxAttempts' as max_attempts,
    j.errors -> -1 as error
  from lineshaft.job j
  where j.id = $1::uuid
),
holder as materialized (
  select coalesce(p.holder, k.worker_id) as worker_id, e.taken_at,
    case k.id when 0 then p.until else k.lease_until end as lease_until, case k.id when 0 then 1 else k.running end as running,
    case k.id
      when 0 then 1
      else (select coalesce(sum(cardinality(o.job_ids)), 0) from lineshaft.lease o where o.worker = k.id)
    end as held
  from at a
  cross join lineshaft.lease e
  join lineshaft.worker k on k.id = e.worker
  left join lineshaft.job_lease p on p.job_id = a.id and p.fence = a.fence
  where a.id = any (e.job_ids) and e.fences[array_position(e.job_ids, a.id)] = a.fence
  limit 1
)
select (extract(epoch from clock_timestamp()) * 1000)::double precision as now_ms,
  a.lane, l.queue_id, l.kind, l.requirements, l.pin, l.build, l.wants,
  case
    when d.job_id is not null then 'failed'
    when b.job_id is not null then 'blocked'
    when w.job_id is not null then case w.reason when 'r' then 'retrying' else 'scheduled' end
    when exists (
      select from lineshaft.ready r
      where r.lane = a.lane and r.priority = a.priority and r.due = a.due and r.seq = a.seq and r.job_id = a.id
    ) then 'ready'
    else 'running'
  end as state,
  (extract(epoch from a.due) * 1000)::double precision as due_ms,
  a.attempt, a.rescued, coalesce(a.max_attempts::integer, q.max_attempts::integer) as max_attempts, a.error,
  coalesce(d.reason, b.reason) as reason, b.detail,
  (extract(epoch from coalesce(d.failed_at, b.since)) * 1000)::double precision as since_ms,
  (extract(epoch from d.expires_at) * 1000)::double precision as kept_until_ms,
  h.worker_id, h.running, h.held::integer as held,
  (extract(epoch from h.taken_at) * 1000)::double precision as taken_ms,
  (extract(epoch from h.lease_until) * 1000)::double precision as lease_until_ms
from at a
join lineshaft.lane l on l.id = a.lane
join lineshaft.queue q on q.id = l.queue_id
left join lineshaft.dead d on d.job_id = a.id
left join lineshaft.blocked b on b.job_id = a.id
left join lineshaft.later w on w.due = a.due and w.seq = a.seq and w.job_id = a.id
left join holder h on true
