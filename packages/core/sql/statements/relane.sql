-- Moves waiting jobs into the lanes that they belong to; see the function. $1 most integer, $2 thorough boolean
-- Returns moved integer. Called by: the limit book after a change, the limiter.
select lineshaft.relane($1::integer, $2::boolean) as moved
