-- Ends a message, and records what was done with it. $1 id uuid, $2 executions json ({handler, action, event, type, status,
-- output}). Locks: its row. Index: event_message_pkey, event_execution_pkey. Called by: EventDelivery.
with gone as (
  delete from lineshaft.event_message m where m.id = $1::uuid
)
insert into lineshaft.event_execution (message_id, handler, action, event, type, status, output)
select $1::uuid, e.handler, e.action, e.event, e.type, e.status, e.output
from json_to_recordset($2::json) as e (handler text, action integer, event text, type text, status text, output json)
on conflict do nothing
