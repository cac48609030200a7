-- Refuses to go on unless this leader still leads. $1 term bigint (null: whoever asks). Returns led boolean.
select lineshaft.demand_leader($1::bigint) as led
