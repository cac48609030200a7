-- What words find, from one snapshot. $1 terms text[]: whole words, or what is known of runs, $2 beginnings text[] of words,
-- $3 ends text[]: after all that begin so, $4 needles text[]: only pending runs with all of these in their text are shown.
-- Returns what text, and by that: `segment`: segment integer, number: its size, text: hexadecimal bits of its dead,
-- newest and oldest bigint (microseconds since 1970); `places`: of the term with this number (1 is the first), text;
-- `block`: lines in which words begin so, by number; `pending`: a document of a pending run is at this place (number);
-- `run`: run uuid, newest: when it has started, name, status (null: it has not ended), text and documents (JSON).
-- Index: search_block_pkey, search_pending_pkey, search_document_of, run_pkey, run_data_pkey. Called by: WordSearch.
with tail as materialized (
  select distinct p.run_id from lineshaft.search_pending p
)
select 'segment' as what, s.id as segment, s.size as number, encode(s.dead, 'hex') as text,
  (extract(epoch from s.newest) * 1000000)::bigint as newest, (extract(epoch from s.oldest) * 1000000)::bigint as oldest,
  null::uuid as run, null as name, null as status, null as documents
from lineshaft.search_segment s
union all
select 'places', s.id, t.n::integer, split_part(substr(b.lines, b.at + length(t.term) + 2), E'\n', 1),
  null, null, null, null, null, null
from lineshaft.search_segment s
cross join unnest($1::text[]) with ordinality as t (term, n)
cross join lateral (
  select b.lines, strpos(b.lines, E'\n' || t.term || ' ') as at
  from lineshaft.search_block b
  where b.segment = s.id and b.first <= t.term collate "C"
  order by b.first desc
  limit 1
) b
where b.at > 0
union all
select 'block', s.id, t.n::integer, b.lines, null, null, null, null, null, null
from lineshaft.search_segment s
cross join unnest($2::text[], $3::text[]) with ordinality as t (begins, ends, n)
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
union all
select 'pending', d.segment, d.place, null, null, null, null, null, null, null
from tail t
cross join lateral (
  select d.segment, d.place from lineshaft.search_document d where d.run_id = t.run_id offset 0
) d
union all
select 'run', null, null, w.text, (extract(epoch from r.created_at) * 1000000)::bigint, null, r.id, r.name,
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
