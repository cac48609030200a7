-- Takes an idempotency key; see the function. $1 workflow text, $2 key text, $3 run uuid, $4 parent uuid (null: none), $5 anew boolean
-- Returns holder uuid (null: it has just been given up), there boolean: its run exists. Locks the row of the key.
select c.holder, exists (select from lineshaft.run r where r.id = c.holder) as there
from lineshaft.claim_run_key($1::text, $2::text, $3::uuid, $4::uuid, $5::boolean) as c (holder)
