-- Keeps log lines of steps; see the function. $1 steps uuid[], $2 times double precision[], $3 lines bytea[],
-- $4 most_lines integer, $5 most_bytes bigint. Returns written integer. Index: step_log_order. Called by: LogBook.
select lineshaft.add_logs($1::uuid[], $2::double precision[], $3::bytea[], $4::integer, $5::bigint) as written
