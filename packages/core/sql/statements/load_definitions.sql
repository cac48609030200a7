-- What runs do, by hash. $1 hashes text[]. Returns hash, definition json.
-- Index: run_definition_pkey. Called by: RunStore.
select d.hash, d.definition from lineshaft.run_definition d where d.hash = any ($1::text[])
