-- A run with its steps, from one snapshot, to be handed on: documents of steps stay as they are. $1 id uuid
-- Returns a row for each step in order, or one with nulls: revision, definition (hash) and run json (an array in the order
-- of `rows.ts`) in the first row only; then of the step what an array of it in `load_runs.sql` has, as columns.
-- Index: run_pkey, run_data_pkey, step_pkey. Called by: RunStore.
select
  case when s.n is null or s.n = 1 then r.revision end as revision,
  case when s.n is null or s.n = 1 then r.definition end as definition,
  case when s.n is null or s.n = 1 then json_build_array(
    r.status, r.next_seq, (date_part('epoch', r.updated_at) * 1000)::bigint,
    (date_part('epoch', r.ended_at) * 1000)::bigint, (date_part('epoch', r.retried_at) * 1000)::bigint, r.reason,
    r.facts, r.priority, r.correlation_id, r.idempotency_key, r.created_by, r.event,
    (date_part('epoch', r.created_at) * 1000)::bigint, r.parent_run, r.parent_step, d.input, d.output, d.variables
  ) end as run,
  s.id, s.seq, s.ref, s.iteration, s.retry_count, s.type, s.name, s.status,
  (date_part('epoch', s.scheduled_at) * 1000)::bigint, (date_part('epoch', s.started_at) * 1000)::bigint,
  (date_part('epoch', s.updated_at) * 1000)::bigint, (date_part('epoch', s.ended_at) * 1000)::bigint,
  s.reason, s.facts, s.definition, s.input, s.output
from lineshaft.run r
join lineshaft.run_data d on d.run_id = r.id
left join lateral (
  select s.*, row_number() over (order by s.seq) as n from lineshaft.step s where s.run_id = r.id
) s on true
where r.id = $1::uuid
order by s.seq
