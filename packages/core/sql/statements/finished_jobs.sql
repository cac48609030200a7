-- What became of jobs that are no longer alive. $1 ids uuid[]
-- Returns id, state (succeeded, cancelled, failed, forgotten), entry text (a line of history, or null), errors jsonb (failed).
-- Jobs that are still alive, and those that nobody has taken in yet, are left out. Index: job_pkey, dead_pkey, history_span. Called by: waiters and `job show`.
select t.id,
  case when d.job_id is not null then 'failed' when h.entry is not null then h.entry::json ->> 1 else 'forgotten' end as state,
  h.entry,
  j.errors
from unnest($1::uuid[]) as t (id)
left join lateral (select k.id, k.errors from lineshaft.job k where k.id = t.id limit 1) j on true
left join lateral (select k.job_id from lineshaft.dead k where k.job_id = t.id limit 1) d on true
left join lateral (
  select split_part(p.entries, e'\n', array_position(p.ids, t.id)) as entry
  from lineshaft.history p
  where j.id is null and p.id_span @> t.id and t.id = any (p.ids)
  limit 1
) h on true
where d.job_id is not null
  or (j.id is null and not exists (select from lineshaft.inbox i where i.at is not null and i.id = t.id))
