-- Forgets what no run has been started with; see the function. $1 most integer, $2 term bigint: the leader's, null: whoever asks.
-- Returns removed integer. Called by: the pruner and `lineshaft prune`.
select case when lineshaft.demand_leader($2::bigint) then lineshaft.prune_run_definitions($1::integer) end as removed
