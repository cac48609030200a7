-- Event handlers by name. $1 event text (null: of all events), $2 whether only active ones boolean
-- Returns handler json. Locks: none. Index: event_handler_of, event_handler_pkey. Called by: EventBook.
select h.handler
from lineshaft.event_handler h
where ($1::text is null or h.event = $1::text) and (h.active or not $2::boolean)
order by h.name
