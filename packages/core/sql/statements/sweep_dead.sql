-- Forgets dead letters whose retention has ended. $1 most integer, $2 term bigint: the leader's, see demand_term.
-- Returns swept integer, led boolean. Locks: the rows of dead and job, both skip locked: others take the job first.
-- Index: dead_expires. Called by: the keeper.
with expired as materialized (
  select d.job_id
  from lineshaft.dead d
  join lineshaft.job j on j.id = d.job_id
  where d.expires_at < now()
  order by d.expires_at
  limit $1::integer
  for update of d, j skip locked
),
forgotten as (
  delete from lineshaft.dead where job_id in (select e.job_id from expired e) returning job_id
),
gone as (
  delete from lineshaft.job where id in (select f.job_id from forgotten f)
)
select (select count(*)::integer from forgotten) as swept, lineshaft.demand_term('main', $2::bigint) as led
