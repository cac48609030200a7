-- What words find, from one snapshot. $1 terms text[]: whole words, or what is known of runs, $2 beginnings text[] of words,
-- $3 ends text[]: after all that begin so, $4 needles text[]: only pending runs with all of these in their text are shown.
-- Returns what text, and by that: `segments`: text, lines of id, size, newest and oldest (microseconds since 1970) and the
-- bits of its dead in hexadecimal digits; `places`: of the term with this number (1 is the first), text, lines of
-- segment and places; `blocks`: in which words begin so, by number, text, blocks each after # and its segment, lines;
-- `pending`: documents of pending runs, text, lines of segment and place; `run`: run uuid, started bigint, name,
-- status (null: it has not ended), text and documents (JSON).
-- Index: search_block_pkey, search_pending_pkey, search_document_of, run_pkey, run_data_pkey. Called by: WordSearch.
with tail as materialized (
  select t.run_id from lineshaft.pending_runs() as t (run_id)
)
select 'segments' as what, null::integer as number,
  string_agg(concat_ws(' ', s.id, s.size, s.newest, s.oldest, encode(s.dead, 'hex')), E'\n') as text,
  null::uuid as run, null::bigint as started, null as name, null as status, null as documents
from lineshaft.search_segment s
union all
select 'places', t.n::integer, f.text, null, null, null, null, null
from unnest($1::text[]) with ordinality as t (term, n)
cross join lateral (
  select string_agg(s.id || ' ' || split_part(substr(b.lines, b.at + length(t.term) + 2), E'\n', 1), E'\n') as text
  from lineshaft.search_segment s
  cross join lateral (
    select b.lines, strpos(b.lines, E'\n' || t.term || ' ') as at
    from lineshaft.search_block b
    where b.segment = s.id and b.first <= t.term collate "C"
    order by b.first desc
    limit 1
  ) b
  where b.at > 0
) f
union all
select 'blocks', t.n::integer, f.text, null, null, null, null, null
from unnest($2::text[], $3::text[]) with ordinality as t (begins, ends, n)
cross join lateral (
  select string_agg('#' || s.id || b.lines, E'\n') as text
  from lineshaft.search_segment s
  cross join lateral (
    (
      select b.lines from lineshaft.search_block b
      where b.segment = s.id and b.first <= t.begins collate "C"
      order by b.first desc
      limit 1
    )
    union all
    (
      select b.lines from lineshaft.search_block b
      where b.segment = s.id and b.first > t.begins collate "C" and b.first < t.ends collate "C"
      offset 0
    )
  ) b
  where strpos(b.lines, E'\n' || t.begins) > 0
) f
union all
select 'pending', null, string_agg(d.segment || ' ' || d.place, E'\n'), null, null, null, null, null
from tail t
cross join lateral (
  select d.segment, d.place from lineshaft.search_document d where d.run_id = t.run_id offset 0
) d
union all
select 'run', null, w.text, r.id, lineshaft.microseconds(r.created_at), r.name,
  case when r.ended_at is not null then r.status end, d.documents
from tail t
cross join lateral (select r.* from lineshaft.run r where r.id = t.run_id offset 0) r
cross join lateral (select concat_ws(' ', r.name, r.correlation_id, left(r.reason, 1000)) as text) w
cross join lateral (
  select concat_ws(' ', lineshaft.head(d.input), lineshaft.head(d.output)) as documents
  from lineshaft.run_data d where d.run_id = t.run_id
  offset 0
) d
cross join lateral (select lower(concat_ws(' ', w.text, d.documents) collate "C") as text offset 0) l
where not exists (select from unnest($4::text[]) as n (needle) where strpos(l.text, n.needle) = 0)
