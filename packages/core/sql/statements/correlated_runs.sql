-- Ids of runs by name and correlation id, oldest first. $1 names text[], $2 correlation_ids text[], $3 closed boolean: also those
-- that have ended. $4 most integer. Returns id. Index: run_correlated.
select r.id
from lineshaft.run r
where r.name = any ($1::text[]) and r.correlation_id = any ($2::text[]) and ($3::boolean or r.ended_at is null)
order by r.created_at, r.id
limit $4::integer
