-- As prune_dead, but only counts what would go. The rule is put in for the mark.
-- $1 timestamptz, $2 uuid: behind which to go on (failed_at, job_id), $3 how many to look at, $4 boolean: also those past
-- their time
-- Returns how far it has come (at, id), seen, and per project, queue and outcome: jobs, oldest, newest (as JSON).
-- Index: dead_failed. Called by: `lineshaft prune --dry-run`.
with seen as materialized (
  select d.job_id, d.failed_at, d.expires_at
  from lineshaft.dead d
  where (d.failed_at, d.job_id) > ($1::timestamptz, $2::uuid) and d.failed_at >= $1::timestamptz
  order by d.failed_at, d.job_id
  limit $3::integer
),
fit as (
  select f.project, f.queue, f.state, count(*) as jobs, min(f.finished_at) as oldest, max(f.finished_at) as newest
  from seen d
  join lineshaft.job j on j.id = d.job_id
  join lineshaft.lane l on l.id = j.lane
  join lineshaft.queue q on q.id = l.queue_id
  join lineshaft.project p on p.id = q.project_id
  cross join lateral (
    select j.id, d.failed_at as finished_at, 'failed' as state, j.created_at, l.kind, q.name as queue, p.name as project,
      j.options -> 'labels' as labels, octet_length(j.payload::text) as size, j.attempt as attempts,
      null::integer as priority
  ) f
  where ($4::boolean and d.expires_at <= now()) or (true /* rule matches */)
  group by 1, 2, 3
)
select last.failed_at::text as at, last.job_id as id,
  (select count(*) from seen) as seen,
  (select coalesce(json_agg(json_build_object('project', f.project, 'queue', f.queue, 'outcome', f.state, 'jobs', f.jobs,
    'oldest', f.oldest, 'newest', f.newest)), '[]') from fit f) as groups
from seen last
order by last.failed_at desc, last.job_id desc
limit 1
