-- Wakes all who may have the steps of a kind. $1 kind text. Returns waiting bigint: how many wait.
-- Called by: StepQueues.
with woken as materialized (
  select lineshaft.wake(array_agg(q.id), false, 'always') from lineshaft.polled_queue() as q (id) where q.id is not null
),
lane as materialized (
  select l.id
  from lineshaft.lane l
  join lineshaft.queue q on q.id = l.queue_id
  where q.project_id = 1 and q.name = 'workflow' and l.kind = $1::text
)
select (select count(*) from lineshaft.ready r join lane l on l.id = r.lane)
  + (select count(*) from lineshaft.later w join lane l on l.id = w.lane) as waiting
from (select count(*) from woken) w
