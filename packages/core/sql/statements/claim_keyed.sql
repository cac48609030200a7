-- Takes jobs under limits; see the function. $1 worker bigint, $2 bases integer[], $3 groups integer[], $4 rooms integer[],
-- $5 most_lanes integer, $6 careful boolean (limits are known to bind)
-- Returns a row per job as claim_lane, and as seventh column its keyed lane; and a last row without a lease: lane: how
-- many keyed lanes were looked at; created: 1 where turns are left; payload: in how many ms time alone makes room; rest:
-- whether a limit had a say, null where there was nothing; keyed: how many jobs were taken.
-- Called by: the claim loop.
select c.lease, c.id, c.lane, c.created, c.payload, c.rest, c.keyed
from lineshaft.claim_keyed($1::bigint, $2::integer[], $3::integer[], $4::integer[], $5::integer, $6::boolean) c
