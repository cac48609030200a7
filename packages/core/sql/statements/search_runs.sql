-- The runs of a page of a search. $1 start integer, $2 size integer, $3 statuses text[]: of the runs
-- Returns id, in order. What is searched for, and in which order, is put in by store/search-sql.ts.
-- For what few runs fit, and orders that have an index of their own. Index: run_correlation, run_ended, run_pkey.
select r.id
from lineshaft.run r
where r.status = any ($3::text[]) and (true /* search conditions */)
order by r.created_at desc /* search order */, r.id desc
offset $1::integer limit $2::integer
