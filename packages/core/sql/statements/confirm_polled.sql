-- Says of steps whose polls were answered whether the answer was sent; see the function. $1 ids uuid[] (sorted), $2 claims text[], $3 sent boolean[]
-- Returns first_ms double precision: in how long the first of them must be heard of; null: none of them is there.
-- Index: job_lease_pkey, lease_pkey. Called by: PollBook.
select lineshaft.confirm_polled($1::uuid[], $2::text[], $3::boolean[]) as first_ms
