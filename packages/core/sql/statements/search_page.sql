-- A page of runs that words have found. $1 segments integer[], $2 places integer[]: among these, $3 runs uuid[],
-- $4 starts bigint[] (microseconds since 1970): and these, $5 direction integer: 1 newest first, -1 oldest first,
-- $6 start integer, $7 size integer. Returns id, in order. Index: search_document_pkey. Called by: WordSearch.
select c.id
from (
  select d.run_id as id, d.started as at
  from unnest($1::integer[], $2::integer[]) as f (segment, place)
  cross join lateral (
    select d.run_id, d.started from lineshaft.search_document d
    where d.segment = f.segment and d.place = f.place
    offset 0
  ) d
  union all
  select t.id, t.at from unnest($3::uuid[], $4::bigint[]) as t (id, at)
) c
order by c.at * $5::integer desc, c.id desc
offset $6::integer limit $7::integer
