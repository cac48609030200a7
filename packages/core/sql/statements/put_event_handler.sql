-- Keeps an event handler. $1 name text, $2 event text, $3 active boolean, $4 handler json, $5 whether it is new boolean
-- Returns name; no row: there is one of this name already, or ($5 false) there is none. Locks: its row.
-- Index: event_handler_pkey. Called by: EventBook.
with changed as (
  update lineshaft.event_handler h
  set event = $2::text, active = $3::boolean, handler = $4::json, updated_at = clock_timestamp()
  where not $5::boolean and h.name = $1::text
  returning h.name
),
made as (
  insert into lineshaft.event_handler (name, event, active, handler)
  select $1::text, $2::text, $3::boolean, $4::json where $5::boolean
  on conflict (name) do nothing
  returning name
)
select name from changed union all select name from made
