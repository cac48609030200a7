-- The newest dead letter of a queue that is one too many when so many are kept. $1 queue bigint, $2 keep bigint
-- Returns at, id, or no row. Index: dead_failed. Called by: the pruner and `lineshaft prune`.
select d.failed_at::text as at, d.job_id as id
from lineshaft.dead d
where d.lane in (select l.id from lineshaft.lane l where l.queue_id = $1::bigint)
order by d.failed_at desc, d.job_id desc
offset $2::bigint
limit 1
