-- Which runs steps belong to, and what they are given. $1 ids uuid[], $2 whole_most integer: of runs that have made no more
-- steps the inputs are left out, since whoever asks reads these runs whole. Returns id, run_id, input (null: left out), and where it
-- is if it is kept apart; a step that does not exist is left out.
-- Index: step_id, run_pkey. Called by: RunStore, for workers.
select s.id, s.run_id,
  case when r.next_seq > $2::integer + 1 then lineshaft.document(s.run_id, s.input) end,
  case when r.next_seq > $2::integer + 1 then s.facts ->> 'externalInputPath' end
from unnest($1::uuid[]) as k (id)
cross join lateral (select t.id, t.run_id, t.input, t.facts from lineshaft.step t where t.id = k.id limit 1) s
cross join lateral (select t.next_seq from lineshaft.run t where t.id = s.run_id limit 1) r
