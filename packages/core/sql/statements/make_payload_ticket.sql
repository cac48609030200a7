-- Lets who knows a ticket read or write a payload. $1 hash text (hex), $2 path text, $3 operation text, $4 seconds integer.
-- Returns nothing. Called by: PayloadBook.
insert into lineshaft.payload_ticket (hash, path, operation, until)
values (decode($1::text, 'hex'), $2::text, $3::text, now() + $4::integer * interval '1 second')
