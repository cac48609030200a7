-- The workers that hold their lease and go on claiming, and those that have polled for steps within the last minute, each
-- as often as it has polled for a kind and domain.
-- Returns worker_id, build, tags text[], kinds text[], queues text[] (slugs), offers jsonb, slots. Locks: none.
-- Called by: doctor, why, queue show, workers whose jobs prefer others.
select w.worker_id, w.build, w.tags, w.kinds, w.queues, w.offers, w.slots
from lineshaft.worker w
where w.lease_until >= clock_timestamp() and not w.stopping and w.id > 0
union all
(
  select p.worker_id, '', case p.domain when '' then '{*}'::text[] else array['*', 'domain=' || p.domain] end, array[p.kind],
    array[q.slug], '{}', 1
  from lineshaft.poll_record p
  join lineshaft.queue q on q.project_id = 1 and q.name = 'workflow'
  where p.at > clock_timestamp() - interval '1 minute'
  limit 1000
)
