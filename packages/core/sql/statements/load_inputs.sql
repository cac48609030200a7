-- What steps are given. $1 ids uuid[]. Returns id, run_id, input, and where it is if it is kept apart; a step that does not
-- exist is left out.
-- Index: step_id. Called by: RunStore, for workers.
select s.id, s.run_id, lineshaft.document(s.run_id, s.input), s.facts ->> 'externalInputPath'
from unnest($1::uuid[]) as k (id)
cross join lateral (select t.id, t.run_id, t.input, t.facts from lineshaft.step t where t.id = k.id limit 1) s
