-- Forgets what was done with messages long ago. $1 older than ms double precision, $2 how many at most integer
-- Returns the number. Locks: the rows. Index: event_execution_at. Called by: EventDelivery.
with old as materialized (
  select e.message_id, e.handler, e.action from lineshaft.event_execution e
  where e.at < clock_timestamp() - $1::double precision * interval '1 ms'
  order by e.at
  limit $2::integer
),
gone as (
  delete from lineshaft.event_execution e
  using old where e.message_id = old.message_id and e.handler = old.handler and e.action = old.action
  returning 1
)
select count(*) as pruned from gone
