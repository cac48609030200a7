-- Notes payloads that are about to be written. $1 paths text[], $2 runs uuid[] (null: of none). Returns nothing.
-- Index: payload_pkey. Called by: KeptApart, PayloadBook.
insert into lineshaft.payload (path, run_id)
select p.path, p.run_id from unnest($1::text[], $2::uuid[]) as p (path, run_id)
on conflict (path) do nothing
