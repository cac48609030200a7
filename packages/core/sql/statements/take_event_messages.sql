-- Takes messages that are due, with the active handlers of their events; others get them again when $2 is over.
-- $1 how many integer, $2 for how long in ms double precision
-- Returns id uuid, event text, payload json, attempts integer (with this one), handlers json (a list).
-- Locks: the rows taken; what others have taken is passed over. Index: event_message_due, event_handler_of.
-- Called by: EventDelivery.
with due as materialized (
  select m.id from lineshaft.event_message m
  where m.due <= clock_timestamp()
  order by m.due
  limit $1::integer
  for update skip locked
),
taken as (
  update lineshaft.event_message m
  set due = clock_timestamp() + $2::double precision * interval '1 ms', attempts = m.attempts + 1
  from due where m.id = due.id
  returning m.id, m.event, m.payload, m.attempts
)
select t.id, t.event, t.payload, t.attempts,
  coalesce((
    select json_agg(h.handler order by h.name) from lineshaft.event_handler h where h.active and h.event = t.event
  ), '[]') as handlers
from taken t
