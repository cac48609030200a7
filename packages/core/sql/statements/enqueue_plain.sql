-- Enqueues jobs of one kind and queue that have no options: the common case of enqueue_many, in one plan without the
-- machinery of a function. It knows one rule, the size; what it cannot judge it leaves alone.
-- Locks: until its end the queue is not deleted (hold_queue).
-- $1 queue text, $2 kind text, $3 ids uuid[], $4 payloads json[], $5 wake_mode text, $6 since timestamptz
-- Returns one row, or none: then nothing was written (kind or queue were not met before, the batch is large, or there is
-- something in the inbox that goes before), and enqueue_many is to be asked. Parameters stand in sub-selects so that the planner cannot look at them: it would plan
-- anew for each call, at four times the cost of running it. Index: queue_project_id_name_key, lane_content.
with place as materialized (
  select q.id as queue_id, q.priority, q.wake, l.id as lane, coalesce($6::timestamptz, clock_timestamp()) as present
  from lineshaft.project p
  join lineshaft.queue q on q.project_id = p.id
  join lineshaft.lane l on l.queue_id = q.id
  where p.name = 'default' and q.name = (select $1::text) and l.kind = (select $2::text) and l.requirements = '{}' and l.pin = 'none' and l.build = ''
    and l.wants = '{}' and l.id > 0 and l.attached is null
    and (
      pg_column_size($4::json[]) <= 1000
      or pg_column_size($4::json[]) <= (select s.value::integer from lineshaft.setting s where s.name = 'payload_max_bytes')
    )
    and ($5::text <> 'always' or not exists (select from lineshaft.inbox i order by i.at, i.seq limit 1))
    and lineshaft.hold_queue(q.id)
  order by l.id
  limit 1
),
fresh as (
  insert into lineshaft.job (id, seq, due, created_at, lane, priority, payload)
  select j.id, nextval('lineshaft.job_seq'), p.present, p.present, p.lane, p.priority, j.payload
  from place p
  cross join lateral (select unnest((select $3::uuid[])) as id, unnest((select $4::json[])) as payload) j
  returning id, seq, due, lane, priority
),
placed as (
  insert into lineshaft.ready (due, seq, lane, priority, job_id)
  select f.due, f.seq, f.lane, f.priority, f.id
  from fresh f
)
select
  case
    when $5::text = 'never' or p.wake = 'never' then null
    when $5::text = 'always' then pg_notify('lineshaft', 'r' || p.queue_id)
    when p.wake = 'always' then pg_notify('lineshaft', 'a' || p.queue_id)
    when $5::text = 'auto' and pg_try_advisory_xact_lock(lineshaft.wake_slot(), (p.queue_id % 2000000000)::integer)
    then pg_notify('lineshaft', 'a' || p.queue_id)
  end is null as told
from place p
