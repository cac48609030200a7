-- Forgets dead letters that fit a rule, which is put in for the mark. Bounded.
-- $1 timestamptz, $2 uuid: behind which to go on (failed_at, job_id), $3 how many to look at, $4 term bigint (of the leader;
-- null: whoever asks)
-- Returns how far it has come (at, id), seen, pruned, and oldest and newest (ms) that were pruned.
-- Locks: the rows of dead and job, both skip locked, since others take the job first. Index: dead_failed.
-- Called by: the pruner and `lineshaft prune`.
with seen as materialized (
  select d.job_id, d.failed_at
  from lineshaft.dead d
  where (d.failed_at, d.job_id) > ($1::timestamptz, $2::uuid) and d.failed_at >= $1::timestamptz
  order by d.failed_at, d.job_id
  limit $3::integer
),
fit as materialized (
  select d.job_id
  from seen s
  join lineshaft.dead d on d.job_id = s.job_id
  join lineshaft.job j on j.id = d.job_id
  join lineshaft.lane l on l.id = j.lane
  join lineshaft.queue q on q.id = l.queue_id
  join lineshaft.project p on p.id = q.project_id
  cross join lateral (
    select j.id, d.failed_at as finished_at, 'failed' as state, j.created_at, l.kind, q.name as queue, p.name as project,
      j.options -> 'labels' as labels, octet_length(j.payload::text) as size, j.attempt as attempts,
      null::integer as priority
  ) f
  where true /* rule matches */
  for update of d, j skip locked
),
gone as (
  delete from lineshaft.dead where job_id in (select f.job_id from fit f) returning job_id, failed_at
),
gone_jobs as (
  delete from lineshaft.job where id in (select g.job_id from gone g)
)
select last.failed_at::text as at, last.job_id as id,
  (select count(*) from seen) as seen,
  (select count(*) from gone) as pruned,
  (select extract(epoch from min(g.failed_at)) * 1000 from gone g)::double precision as oldest,
  (select extract(epoch from max(g.failed_at)) * 1000 from gone g)::double precision as newest,
  lineshaft.demand_leader($4::bigint) as led
from seen last
order by last.failed_at desc, last.job_id desc
limit 1
