-- Refuses to go on unless this leader still leads; holds others off until the end of the transaction.
-- $1 name text, $2 term bigint. Returns led boolean. @throws LS409 LEADERSHIP_LOST
select lineshaft.demand_term($1, $2::bigint) as led
