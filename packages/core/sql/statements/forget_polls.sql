-- Forgets who has not polled for long. $1 age_ms double precision. Returns nothing. Called by: PollBook, once an hour.
delete from lineshaft.poll_record p where p.at < clock_timestamp() - $1::double precision * interval '1 millisecond'
