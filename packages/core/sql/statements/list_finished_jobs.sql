-- Lines of history, newest first. $1 lanes integer[], $2 most integer, $3 state text (succeeded, cancelled)
-- Returns id, entry, finished_at. Index: history_finished.
select e.id, e.entry, h.finished_at
from lineshaft.history h
cross join lateral unnest(h.ids, string_to_array(h.entries, e'\n')) as e (id, entry)
where h.lanes && $1::integer[] and (e.entry::json ->> 0)::integer = any ($1::integer[]) and e.entry::json ->> 1 = $3
order by h.finished_at desc
limit $2::integer
