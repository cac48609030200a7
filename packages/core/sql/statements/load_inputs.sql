-- Which runs steps belong to, and what they are given. $1 ids uuid[], $2 whole_most integer, $3 whole_bytes integer: of runs that
-- have made no more steps, whose documents take no more room, and that keep none of them apart, the inputs are left out, since
-- whoever asks reads these runs whole. Returns id, run_id, input (null: left out), and where it is if it is kept apart; a step that
-- does not exist is left out.
-- Index: step_id, run_pkey, run_data_pkey, step_pkey. Called by: RunStore, for workers.
select s.id, s.run_id,
  case when not r.whole then lineshaft.document(s.run_id, s.input) end,
  case when not r.whole then s.facts ->> 'externalInputPath' end
from unnest($1::uuid[]) as k (id)
cross join lateral (select t.id, t.run_id, t.input, t.facts from lineshaft.step t where t.id = k.id limit 1) s
cross join lateral (
  select case
    when t.next_seq > $2::integer + 1 or t.facts::text like '%"external%' then false
    -- The room that they take in the tables: nothing is unpacked for it.
    else $3::integer >= (
      select coalesce(pg_column_size(d.input), 0) + coalesce(pg_column_size(d.output), 0)
        + coalesce(pg_column_size(d.variables), 0)
      from lineshaft.run_data d where d.run_id = t.id
    ) + (
      select sum(case
        when u.facts::text like '%"external%' then $3::integer
        else coalesce(pg_column_size(u.input), 0) + coalesce(pg_column_size(u.output), 0)
          + coalesce(pg_column_size(u.definition), 0)
      end)
      from lineshaft.step u where u.run_id = t.id
    )
  end as whole
  from lineshaft.run t where t.id = s.run_id limit 1
) r
