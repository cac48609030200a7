-- Forgets payloads that were deleted, and tickets that are over. $1 paths text[]. Returns nothing.
-- Index: payload_pkey, payload_ticket_until. Called by: PayloadBook, for the pruner.
with tickets as (delete from lineshaft.payload_ticket t where t.until < now())
delete from lineshaft.payload p where p.path = any ($1::text[])
