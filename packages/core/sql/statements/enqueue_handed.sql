-- Enqueues one job that has no options, as enqueue_plain, and hands it to an idle worker of the calling process: job and
-- lease come with one commit, it never waits. Only where nothing waits in its queue, else it goes to the end of that.
-- Locks: until its end the queue is not deleted (hold_queue); key share on the worker's row, so that a rescued worker is handed nothing.
-- $1 queue text, $2 kind text, $3 id uuid, $4 payload json, $5 worker bigint, $6 lane integer, that the worker serves
-- Returns one row: lease (null: it waits), created (ms); or none: nothing was written, and enqueue_many is to be asked.
-- Parameters stand in sub-selects for the reason that enqueue_plain tells. Index: queue_project_id_name_key, lane_pkey,
-- lane_content, ready_order. Called by: the producer.
with place as materialized (
  select q.id as queue_id, q.priority, q.wake, l.id as lane, clock_timestamp() as present,
    q.state = 'active' and l.id = (select $6::integer) and not exists (
      select from lineshaft.lane o
      cross join lateral (select from lineshaft.ready r where r.lane = o.id limit 1) w
      where o.queue_id = q.id and o.id > 0
    ) as handed
  from lineshaft.project p
  join lineshaft.queue q on q.project_id = p.id
  join lineshaft.lane l on l.queue_id = q.id
  where p.name = 'default' and q.name = (select $1::text) and l.kind = (select $2::text) and l.requirements = '{}' and l.pin = 'none' and l.build = ''
    and l.wants = '{}' and l.id > 0 and l.attached is null
    and (
      octet_length((select $4::json::text)) <= 1000
      or octet_length((select $4::json::text)) <= (select s.value::integer from lineshaft.setting s where s.name = 'payload_max_bytes')
    )
    and not exists (select from lineshaft.inbox i order by i.at, i.seq limit 1)
    and lineshaft.hold_queue(q.id)
  order by l.id
  limit 1
),
fresh as (
  insert into lineshaft.job (id, seq, due, created_at, lane, priority, payload)
  select (select $3::uuid), nextval('lineshaft.job_seq'), p.present, p.present, p.lane, p.priority, (select $4::json)
  from place p
  returning id, seq, fence
),
placed as (
  insert into lineshaft.ready (due, seq, lane, priority, job_id)
  select p.present, f.seq, p.lane, p.priority, f.id
  from fresh f
  cross join place p
  where not p.handed
),
leased as (
  insert into lineshaft.lease (worker, job_ids, fences)
  select (select $5::bigint), array[f.id], array[f.fence]
  from fresh f
  cross join place p
  where p.handed
  returning id
)
select (select d.id from leased d) as lease, (date_part('epoch', p.present) * 1000)::bigint as created,
  case when not p.handed and p.wake <> 'never' then pg_notify('lineshaft', 'r' || p.queue_id) end
from place p
