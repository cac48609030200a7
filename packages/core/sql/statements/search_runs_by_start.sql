-- The runs of a page of a search, by when they started. $1 start integer, $2 size integer, $3 statuses text[]: of the runs
-- Returns id, in order. What is searched for is put in by store/search-sql.ts. The page is merged from those of the
-- statuses: so an index by name, status and time serves a search by name alone too. Index: run_by_name, run_by_status.
select p.id
from unnest($3::text[]) as s (status)
cross join lateral (
  select r.id, r.created_at
  from lineshaft.run r
  where r.status = s.status and (true /* search conditions */)
  order by r.created_at desc /* search order */
  limit $1::integer + $2::integer
) p
order by p.created_at desc /* page order */
offset $1::integer limit $2::integer
