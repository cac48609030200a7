-- How many steps fit a search. $1 most integer: so many are counted
-- Returns hits bigint. What is searched for is put in by store/search-sql.ts. Index: step_by_type, step_by_name.
select count(*) as hits
from (
  select from lineshaft.step s
  where (true /* search conditions */)
  limit $1::integer
) c
