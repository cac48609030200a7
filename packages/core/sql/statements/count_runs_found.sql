-- How many runs fit a search. $1 most integer: so many are counted, $2 statuses text[]: of the runs
-- Returns hits bigint. What is searched for is put in by store/search-sql.ts. Index: run_by_name, run_by_status.
select count(*) as hits
from (
  select from lineshaft.run r
  where r.status = any ($2::text[]) and (true /* search conditions */)
  limit $1::integer
) c
