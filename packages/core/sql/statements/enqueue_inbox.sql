-- Leaves plain jobs of one kind and queue in the inbox, as enqueue_inbox_one does with one. It knows one rule, the size;
-- what it cannot judge it leaves alone.
-- $1 queue text, $2 kind text, $3 ids uuid[], $4 payloads json
-- Returns a row per job, or none: then nothing was written (there is no such queue, it wants its NOTIFY in the
-- transaction, or the batch is large), and enqueue_many is to be asked. Parameters stand in sub-selects, as in
-- enqueue_plain. Index: queue_project_id_name_key.
insert into lineshaft.inbox (at, seq, id, queue_id, kind, payload)
select p.at, nextval('lineshaft.job_seq'), j.id, p.queue_id, (select $2::text), j.payload
from (
  select q.id as queue_id, clock_timestamp() as at
  from lineshaft.queue q
  where q.project_id = 1 and q.name = (select $1::text) and q.wake <> 'always'
    and (
      octet_length($4::json::text) <= 1000
      or octet_length($4::json::text) <= (select s.value::integer from lineshaft.setting s where s.name = 'payload_max_bytes')
    )
  offset 0
) p
cross join lateral rows from (unnest((select $3::uuid[])), json_array_elements((select $4::json))) as j (id, payload)
returning 1 as left
