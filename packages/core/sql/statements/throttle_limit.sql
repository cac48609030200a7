-- Closes a key of a limit until a time; see the function. $1 project text, $2 name text, $3 key text,
-- $4 ms double precision: from now, by the clock of the database
-- Returns throttled boolean. Called by: the limit book.
select lineshaft.throttle($1::text, $2::text, $3::text, clock_timestamp() + $4::double precision * interval '1 millisecond')
  as throttled
