-- All that is known of a job that is not finished, or failed for good. $1 id uuid
-- Returns one row, or none. State is where the job is: ready, later, blocked, dead; a job that is nowhere else runs.
select j.id, l.kind, q.name as queue, p.name as project,
  case
    when d.job_id is not null then 'failed'
    when b.job_id is not null then 'blocked'
    when w.job_id is not null then case w.reason when 'r' then 'retrying' else 'scheduled' end
    when exists (
      select from lineshaft.ready r
      where r.lane = j.lane and r.priority = j.priority and r.due = j.due and r.seq = j.seq and r.job_id = j.id
    ) then 'ready'
    else 'running'
  end as state,
  j.priority, j.attempt, j.rescued, j.version, j.created_at, j.due, j.payload, j.options, j.errors,
  l.requirements, l.pin, l.build,
  coalesce(d.reason, b.reason) as reason, b.detail, d.failed_at, d.expires_at,
  coalesce((j.options ->> 'maxAttempts')::integer, q.max_attempts::integer) as max_attempts,
  (select jsonb_build_object('current', g.current, 'total', g.total) from lineshaft.progress g where g.job_id = j.id) as progress,
  (
    select jsonb_build_object(
      'workerId', coalesce(p.holder, k.worker_id), 'name', k.name, 'since', e.taken_at,
      'leaseUntil', case k.id when 0 then p.until else k.lease_until end
    )
    from lineshaft.lease e
    join lineshaft.worker k on k.id = e.worker
    left join lineshaft.job_lease p on p.job_id = j.id and p.fence = j.fence
    where d.job_id is null and j.id = any (e.job_ids) and e.fences[array_position(e.job_ids, j.id)] = j.fence
    limit 1
  ) as worker
from lineshaft.job j
join lineshaft.lane l on l.id = j.lane
join lineshaft.queue q on q.id = l.queue_id
join lineshaft.project p on p.id = q.project_id
left join lineshaft.dead d on d.job_id = j.id
left join lineshaft.blocked b on b.job_id = j.id
left join lineshaft.later w on w.due = j.due and w.seq = j.seq and w.job_id = j.id
where j.id = $1::uuid
