-- Makes a queue, or changes the settings that are given. $1 project text, $2 name text, $3 settings jsonb (columns by name; absent: default or unchanged)
-- Returns the queue's row with its project's name, and whether it was made. No row: the project does not exist.
with of_project as (
  select p.id, p.name from lineshaft.project p where p.name = $1
),
declared as (
  insert into lineshaft.queue as q (
    project_id, name, state, resume_at, concurrency, tags, executor, executor_options, polling_interval_ms, priority,
    max_attempts, backoff, retry_rules, limits, retention, wake, needs, weight
  )
  select o.id, $2,
    coalesce(s.state, 'active'), s.resume_at, coalesce(s.concurrency, 10), coalesce(s.tags, '{*}'),
    coalesce(s.executor, 'async'), coalesce(s.executor_options, '{}'), coalesce(s.polling_interval_ms, 5000),
    coalesce(s.priority, 0), coalesce(s.max_attempts, 5),
    coalesce(s.backoff, '{"type": "exponential", "delayMs": 1000, "factor": 2, "limitMs": 3600000, "jitter": 0.2}'),
    coalesce(s.retry_rules, '[]'), coalesce(s.limits, '{}'),
    '{"succeededMs": 86400000, "failedMs": 1209600000, "cancelledMs": 1209600000}'::jsonb || coalesce(s.retention, '{}'),
    coalesce(s.wake, 'auto'), coalesce(s.needs, '{}'), coalesce(s.weight, 1)
  from of_project o
  cross join jsonb_populate_record(null::lineshaft.queue, $3::jsonb) s
  on conflict (project_id, name) do update
  set (state, resume_at, concurrency, tags, executor, executor_options, polling_interval_ms, priority, max_attempts,
      backoff, retry_rules, limits, retention, wake, needs, weight, updated_at) = (
    select coalesce(s.state, q.state), case when $3::jsonb ? 'resume_at' then s.resume_at else q.resume_at end,
      coalesce(s.concurrency, q.concurrency), coalesce(s.tags, q.tags), coalesce(s.executor, q.executor),
      coalesce(s.executor_options, q.executor_options), coalesce(s.polling_interval_ms, q.polling_interval_ms),
      coalesce(s.priority, q.priority), coalesce(s.max_attempts, q.max_attempts), coalesce(s.backoff, q.backoff),
      coalesce(s.retry_rules, q.retry_rules), coalesce(s.limits, q.limits),
      q.retention || coalesce(s.retention, '{}'), coalesce(s.wake, q.wake), coalesce(s.needs, q.needs),
      coalesce(s.weight, q.weight), clock_timestamp()
    from jsonb_populate_record(null::lineshaft.queue, $3::jsonb) s
  )
  returning q.*, q.created_at = q.updated_at as made
)
select d.*, o.name as project, pg_notify('lineshaft', 'q') is null as told
from declared d
join of_project o on o.id = d.project_id
