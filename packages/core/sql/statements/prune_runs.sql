-- Removes a batch of runs that have ended; see the function. $1 name text, $2 ended_before timestamptz, $3 made_until timestamptz,
-- $4 until_id uuid (null: no such bound), $5 most_runs integer, $6 most_steps bigint, $7 term bigint: the leader's, null: whoever
-- asks. Returns removed integer, more boolean. Called by: the pruner and `lineshaft prune`.
select p.removed, p.more
from lineshaft.demand_leader($7::bigint) as led
cross join lateral lineshaft.prune_runs($1::text, $2::timestamptz, $3::timestamptz, $4::uuid, $5::integer, $6::bigint) p
where led
