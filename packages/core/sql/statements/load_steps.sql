-- Steps by their ids, with what of their runs goes with them. $1 ids uuid[]. Returns a row for each step that exists: run,
-- definition (hash), correlation, priority, step json (an array in the order of `rows.ts`).
-- Index: step_id, run_pkey. Called by: RunStore.
select s.run_id, r.definition, r.correlation_id, r.priority,
  json_build_array(
    s.id, s.seq, s.ref, s.iteration, s.retry_count, s.type, s.name, s.status,
    (date_part('epoch', s.scheduled_at) * 1000)::bigint, (date_part('epoch', s.started_at) * 1000)::bigint,
    (date_part('epoch', s.updated_at) * 1000)::bigint, (date_part('epoch', s.ended_at) * 1000)::bigint,
    s.reason, s.facts, s.definition, lineshaft.document(s.run_id, s.input), lineshaft.document(s.run_id, s.output)
  )
from unnest($1::uuid[]) as k (id)
cross join lateral (select t.* from lineshaft.step t where t.id = k.id limit 1) s
cross join lateral (select t.* from lineshaft.run t where t.id = s.run_id limit 1) r
