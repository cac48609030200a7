-- Forgets keyed lanes without jobs and counters that count nothing; see the function. $1 most integer. Returns gone integer.
-- Called by: the limiter.
select lineshaft.collect_limits($1::integer) as gone
