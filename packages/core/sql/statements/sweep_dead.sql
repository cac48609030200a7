-- Forgets dead letters whose retention has ended. $1 most integer, $2 term bigint: the leader's, see demand_term.
-- Returns swept integer, led boolean. Index: dead_expires.
with expired as (
  delete from lineshaft.dead
  where job_id in (
    select d.job_id from lineshaft.dead d where d.expires_at < now() order by d.expires_at limit $1::integer for update skip locked
  )
  returning job_id
),
gone as (
  delete from lineshaft.job j using expired e where j.id = e.job_id
)
select (select count(*)::integer from expired) as swept, lineshaft.demand_term('main', $2::bigint) as led
