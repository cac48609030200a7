-- Gives jobs another go; see the function. $1 ids uuid[]. Returns id, result.
select r.id, r.result from lineshaft.retry($1::uuid[]) r
