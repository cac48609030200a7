-- Which of some documents are of runs that started within some time. $1 segments integer[], $2 places integer[],
-- $3 since and $4 until bigint: microseconds since 1970, until excluded. Returns segment, place.
-- Index: search_document_pkey. Called by: WordSearch.
select f.segment, f.place
from unnest($1::integer[], $2::integer[]) as f (segment, place)
cross join lateral (
  select d.started from lineshaft.search_document d
  where d.segment = f.segment and d.place = f.place
  offset 0
) d
where d.started >= $3::bigint and d.started < $4::bigint
