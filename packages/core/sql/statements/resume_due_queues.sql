-- Resumes the queues whose time has come. Returns ids bigint[].
with changed as (
  update lineshaft.queue set state = 'active', resume_at = null, updated_at = clock_timestamp()
  where state = 'paused' and resume_at <= clock_timestamp()
  returning id
)
select array_agg(c.id) as ids, max(case when pg_notify('lineshaft', 'q') is null then 0 else 1 end) as told from changed c
