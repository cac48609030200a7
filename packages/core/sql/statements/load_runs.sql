-- Runs with their steps and marks, from one snapshot. $1 ids uuid[], $2 known integer[]: the revision of each that is
-- known already, 0: none, $3 steps boolean: whether they are wanted. Returns a row for each run that exists: id, revision, definition (hash); what has changed
-- since: run json and steps json (arrays as of `rows.ts`, in no order; null: it is the revision that is known); whole
-- boolean: these are all of its steps; marks json: [id, event], in no order, null: there are none.
-- Where all steps are given, their documents are as they are written (see the function document): with the run they can be put together.
-- Of a large run the steps that have changed are known by run_change, as far back as that goes; else all of them are looked at.
-- Index: run_pkey, run_data_pkey, step_pkey, run_change_pkey, mark_run. Called by: RunStore.
select r.id, r.revision, r.definition,
  case when r.revision <> k.known then json_build_array(
    r.status, r.next_seq, (date_part('epoch', r.updated_at) * 1000)::bigint,
    (date_part('epoch', r.ended_at) * 1000)::bigint, (date_part('epoch', r.retried_at) * 1000)::bigint, r.reason,
    r.facts, r.priority, r.correlation_id, r.idempotency_key, r.created_by, r.event,
    (date_part('epoch', r.created_at) * 1000)::bigint, r.parent_run, r.parent_step, d.input, d.output, d.variables
  ) end as run,
  case when $3::boolean and r.revision <> k.known then (
    select json_agg(json_build_array(
      s.id, s.seq, s.ref, s.iteration, s.retry_count, s.type, s.name, s.status,
      (date_part('epoch', s.scheduled_at) * 1000)::bigint, (date_part('epoch', s.started_at) * 1000)::bigint,
      (date_part('epoch', s.updated_at) * 1000)::bigint, (date_part('epoch', s.ended_at) * 1000)::bigint,
      s.reason, s.facts, s.definition,
      case when w.whole then s.input else lineshaft.document(s.run_id, s.input) end,
      case when w.whole then s.output else lineshaft.document(s.run_id, s.output) end
    ))
    from (
      select s.*
      from lineshaft.step s
      where w.seqs is null and s.run_id = r.id and (w.whole or s.revision > k.known)
      union all
      select s.*
      from unnest(w.seqs) as t (seq)
      cross join lateral (select s.* from lineshaft.step s where s.run_id = r.id and s.seq = t.seq limit 1) s
    ) s
  ) end as steps,
  w.whole,
  (select json_agg(json_build_array(m.id, m.event)) from lineshaft.mark m where m.run_id = r.id) as marks
from unnest($1::uuid[], $2::integer[]) as k (id, known)
cross join lateral (select t.* from lineshaft.run t where t.id = k.id limit 1) r
cross join lateral (select t.* from lineshaft.run_data t where t.run_id = r.id limit 1) d
cross join lateral (
  select k.known < greatest(r.removed_in, 1) as whole,
    case when r.next_seq > 500 and k.known >= greatest(r.removed_in, 1) and r.revision <> k.known then (
      -- Null unless each of the changes in between is there.
      select case
          when count(distinct h.revision) = r.revision - k.known
            then coalesce(array_agg(distinct t.seq) filter (where t.seq is not null), '{}')
        end
      from lineshaft.run_change h
      left join lateral unnest(h.seqs) as t (seq) on true
      where h.run_id = r.id and h.revision > k.known
    ) end as seqs
  offset 0
) w
