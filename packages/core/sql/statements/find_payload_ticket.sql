-- What a ticket is for. $1 hash text (hex), $2 operation text. Returns path; no row: it is none, or over.
-- Index: payload_ticket_pkey. Called by: PayloadBook.
select t.path
from lineshaft.payload_ticket t
where t.hash = decode($1::text, 'hex') and t.operation = $2::text and t.until > now()
