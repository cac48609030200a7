-- What was done with the messages of a handler, the newest first. $1 handler text, $2 how many integer
-- Returns message_id uuid, action integer, event text, type text, status text, output json, at timestamptz.
-- Locks: none. Index: event_execution_at. Called by: EventBook.
select e.message_id, e.action, e.event, e.type, e.status, e.output, e.at
from lineshaft.event_execution e
where e.handler = $1::text
order by e.at desc, e.action desc
limit $2::integer
