-- Resumes the queues whose time has come. $1 term bigint: the leader's, see demand_term.
-- Returns led boolean. Index: queue_resume.
with changed as (
  update lineshaft.queue set state = 'active', resume_at = null, updated_at = clock_timestamp()
  where state = 'paused' and resume_at <= clock_timestamp()
  returning id
)
select
  lineshaft.demand_term('main', $1::bigint) as led,
  (select max(case when pg_notify('lineshaft', 'q') is null then 0 else 1 end) from changed c) as told
