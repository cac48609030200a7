-- Runs that wait to be indexed, those that have started last first. $1 most integer: of rows of search_pending, the oldest
-- Returns run_id uuid, pending bigint[]: the rows of the run, name (null: it was removed), status (null: it has not ended),
-- text, input, output text: their beginnings. Index: search_pending_pkey, run_pkey, run_data_pkey. Called by: RunIndexer.
select p.run_id, p.pending, r.name, case when r.ended_at is not null then r.status end as status,
  concat_ws(' ', r.name, r.correlation_id, left(r.reason, 1000)) as text,
  lineshaft.head(d.input) as input, lineshaft.head(d.output) as output
from (
  select t.run_id, array_agg(t.id) as pending
  from (select * from lineshaft.search_pending order by id limit $1::integer) t
  group by t.run_id
) p
left join lateral (select r.* from lineshaft.run r where r.id = p.run_id offset 0) r on true
left join lateral (select d.input, d.output from lineshaft.run_data d where d.run_id = p.run_id offset 0) d on true
order by r.created_at desc nulls last, r.id desc
