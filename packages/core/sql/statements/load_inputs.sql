-- What steps are given. $1 ids uuid[]. Returns id, run_id, input, and where it is if it is kept apart; a step that does not
-- exist is left out.
-- Index: step_id. Called by: RunStore, for workers.
select s.id, s.run_id, s.input, s.facts ->> 'externalInputPath'
from unnest($1::uuid[]) as k (id)
join lineshaft.step s on s.id = k.id
