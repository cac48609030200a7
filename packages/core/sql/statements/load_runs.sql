-- Runs with their steps and marks, from one snapshot. $1 ids uuid[], $2 known integer[]: the revision of each that is
-- known already, 0: none, $3 steps boolean: whether they are wanted. Returns a row for each run that exists: id, revision, definition (hash); what has changed
-- since: run json and steps json (arrays in the order of `rows.ts`; null: it is the revision that is known); whole
-- boolean: these are all of its steps; marks json: [id, event], null: there are none.
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
      s.reason, s.facts, s.definition, lineshaft.document(s.run_id, s.input), lineshaft.document(s.run_id, s.output)
    ) order by s.seq)
    from (
      select s.*
      from lineshaft.step s
      where c.seqs is null and s.run_id = r.id and (s.revision > k.known or k.known < r.removed_in)
      union all
      select s.*
      from unnest(c.seqs) as t (seq)
      cross join lateral (select s.* from lineshaft.step s where s.run_id = r.id and s.seq = t.seq limit 1) s
    ) s
  ) end as steps,
  k.known < greatest(r.removed_in, 1) as whole,
  (select json_agg(json_build_array(m.id, m.event) order by m.id) from lineshaft.mark m where m.run_id = r.id) as marks
from unnest($1::uuid[], $2::integer[]) as k (id, known)
cross join lateral (select t.* from lineshaft.run t where t.id = k.id limit 1) r
cross join lateral (select t.* from lineshaft.run_data t where t.run_id = r.id limit 1) d
left join lateral (
  -- Null unless each of the changes in between is there.
  select case
      when count(distinct h.revision) = r.revision - k.known
        then coalesce(array_agg(distinct t.seq) filter (where t.seq is not null), '{}')
    end as seqs
  from lineshaft.run_change h
  left join lateral unnest(h.seqs) as t (seq) on true
  where r.next_seq > 500 and k.known >= greatest(r.removed_in, 1) and h.run_id = r.id and h.revision > k.known
) c on r.revision <> k.known
