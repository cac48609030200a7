-- Where runs are in the index of words. $1 ids uuid[]. Returns run_id, segment, place; several where a run was indexed
-- again. Index: search_document_of. Called by: WordSearch.
select t.run_id, d.segment, d.place
from unnest($1::uuid[]) as t (run_id)
cross join lateral (
  select d.segment, d.place from lineshaft.search_document d where d.run_id = t.run_id offset 0
) d
