-- Queues that keep only so many finished jobs: id, name, project, and how many per outcome (null: no bound).
-- Called by: the pruner and `lineshaft prune`.
select q.id, q.name, p.name as project, q.retention ->> 'succeededMax' as succeeded, q.retention ->> 'failedMax' as failed,
  q.retention ->> 'cancelledMax' as cancelled
from lineshaft.queue q
join lineshaft.project p on p.id = q.project_id
where coalesce(q.retention ->> 'succeededMax', q.retention ->> 'failedMax', q.retention ->> 'cancelledMax') is not null
order by q.id
