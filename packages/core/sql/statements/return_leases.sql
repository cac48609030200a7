-- Puts the jobs of leases back that their worker does not know of: the answer to its claim was lost. None of them
-- has run. $1 worker bigint, $2 leases bigint[] (null: all). Returns returned integer. Called by: the heartbeat, a worker
-- that stops.
select lineshaft.return_leases($1::bigint, $2::bigint[]) as returned
