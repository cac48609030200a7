-- Removes jobs without a trace; see the function. $1 ids uuid[]. Returns id, result.
select r.id, r.result from lineshaft.remove($1::uuid[]) r
