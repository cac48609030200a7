-- Opens lanes whose wait was for time alone; see the function. $1 most integer. Returns opened integer. Called by: the limiter.
select lineshaft.open_due_limits($1::integer) as opened
