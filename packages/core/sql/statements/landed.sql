-- Which of these results were written although the answer was lost. Asked only after a write whose answer was.
-- $1 ids uuid[], $2 fences integer[] (of the write), $3 rescued integer[], $4 endings text[]: succeeded, cancelled, forgotten
-- (one of these two, not remembered), else where the job waits now, $5 attempts integer[] (after it), $6 worker text
-- Returns their ids. Locks: none. Index: history_span, job_pkey. Called by: the completion flusher.
select r.id
from unnest($1::uuid[], $2::integer[], $3::integer[], $4::text[], $5::integer[]) as r (id, fence, rescued, ending, attempt)
left join lateral (
  select split_part(h.entries, e'\n', array_position(h.ids, r.id))::json as line
  from lineshaft.history h
  where h.id_span @> r.id and r.id = any (h.ids)
  limit 1
) kept on true
left join lineshaft.job j on j.id = r.id
where case
  when r.ending in ('succeeded', 'cancelled') then
    kept.line ->> 1 = r.ending and (kept.line ->> 2)::integer = r.attempt and kept.line ->> 6 = $6::text
  when r.ending = 'forgotten' then
    kept.line is null and j.id is null and not exists (select from lineshaft.cancellation c where c.job_id = r.id)
  -- It waits, or has run again since and finished.
  else
    (j.fence > r.fence and j.rescued = r.rescued and j.attempt >= r.attempt)
    or (kept.line ->> 1 <> 'cancelled' and (kept.line ->> 2)::integer > r.attempt)
end
