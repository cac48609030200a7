-- Resumes the queues whose time has come. $1 term bigint: the leader's, see demand_term.
-- Returns wait_ms double precision until the next one, null if there is none; led boolean.
with changed as (
  update lineshaft.queue set state = 'active', resume_at = null, updated_at = clock_timestamp()
  where state = 'paused' and resume_at <= clock_timestamp()
  returning id
)
select
  (
    select extract(epoch from min(q.resume_at) - clock_timestamp()) * 1000
    from lineshaft.queue q
    where q.state = 'paused' and q.resume_at > clock_timestamp()
  ) as wait_ms,
  lineshaft.demand_term('main', $1::bigint) as led,
  (select max(case when pg_notify('lineshaft', 'q') is null then 0 else 1 end) from changed c) as told
