-- Cancels jobs; see the function. $1 ids uuid[], $2 reason text. Returns id, result.
select c.id, c.result from lineshaft.cancel($1::uuid[], $2::text) c
