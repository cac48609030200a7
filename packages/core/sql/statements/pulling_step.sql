-- The step of a run that waits for messages. $1 run_id uuid. Returns id uuid, input json; no row: none does.
-- Locks: none. Index: step_pkey. Called by: MessageBook.
select s.id, lineshaft.document(s.run_id, s.input) as input
from lineshaft.step s
where s.run_id = $1::uuid and s.type = 'PULL_WORKFLOW_MESSAGES' and s.status in ('SCHEDULED', 'IN_PROGRESS')
order by s.seq
limit 1
