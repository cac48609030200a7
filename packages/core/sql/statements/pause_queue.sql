-- Pauses a queue, for ever or until a time; or resumes it. $1 id bigint, $2 state text, $3 resume_at timestamptz
with changed as (
  update lineshaft.queue set state = $2, resume_at = $3::timestamptz, updated_at = clock_timestamp() where id = $1::bigint
  returning id
)
select c.id, pg_notify('lineshaft', 'q') is null as told from changed c
