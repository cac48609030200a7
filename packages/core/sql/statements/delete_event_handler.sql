-- Forgets an event handler. $1 name text. Returns name; no row: there is none. Locks: its row. Index: event_handler_pkey.
-- Called by: EventBook.
delete from lineshaft.event_handler h where h.name = $1::text returning h.name
