-- Takes in jobs that callers' transactions have left in the inbox, and wakes workers; see the function. $1 most integer
-- Returns how many: where it is as many as were allowed there may be more. Index: inbox_order.
-- Called by: producers after a commit, promoters, and whoever looks for jobs.
select lineshaft.take_in($1::integer) as taken
