-- Notes what became of a tick. $1 id uuid, $2 state text (EXECUTED, FAILED), $3 reason text. Returns nothing.
update lineshaft.scheduled_run r
set state = $2, reason = left($3, 2000), at = clock_timestamp()
where r.id = $1::uuid and r.state = 'POLLED'
