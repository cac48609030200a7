-- What attempts said of the limits of their jobs when they ended; see the function. $1 json: an array of
-- {lane, costs, limit, spent, closedMs}
-- Returns limit text: names that were no limits of their jobs. In the transaction of the completion, after it: their counters
-- are locked already.
select s.limit_name from lineshaft.settle_limits($1::json) s
