-- The steps of a page of a search. $1 start integer, $2 size integer
-- Returns id, in order; the ids of steps tell when they were made. What is searched for, and in which order, is
-- put in by store/search-sql.ts. Index: step_by_type, step_by_name, step_id, step_pkey.
select s.id
from lineshaft.step s
where (true /* search conditions */)
order by s.id desc /* search order */, s.id desc
offset $1::integer limit $2::integer
