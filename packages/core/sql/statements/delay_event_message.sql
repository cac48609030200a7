-- Puts off a message whose actions could not be done now. $1 id uuid, $2 ms double precision
-- Locks: its row. Index: event_message_pkey. Called by: EventDelivery.
update lineshaft.event_message m
set due = clock_timestamp() + $2::double precision * interval '1 ms'
where m.id = $1::uuid
