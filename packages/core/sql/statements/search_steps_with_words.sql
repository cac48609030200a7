-- Steps that fit a search, with their text where it may have the words. $1 start integer, $2 size integer: so many are looked
-- at, $3 needles text[]: what must be in it. Returns id, in order, text and documents (null: they have not all needles).
-- What is searched for, and in which order, is put in by store/search-sql.ts. Index: step_by_type, step_by_name, step_id.
select s.id, w.text, w.documents
from (
  select s.* from lineshaft.step s
  where (true /* search conditions */)
  order by s.id desc /* search order */, s.id desc
  offset $1::integer limit $2::integer
) s
left join lateral (
  select t.text, t.documents
  from (
    select concat_ws(' ', s.name, s.ref, left(s.reason, 1000)) as text,
      concat_ws(
        ' ', lineshaft.head(lineshaft.document(s.run_id, s.input)), lineshaft.head(lineshaft.document(s.run_id, s.output))
      ) as documents
    offset 0
  ) t
  cross join lateral (select lower(concat_ws(' ', t.text, t.documents) collate "C") as text offset 0) l
  where not exists (select from unnest($3::text[]) as n (needle) where strpos(l.text, n.needle) = 0)
) w on true
order by s.id desc /* search order */, s.id desc
