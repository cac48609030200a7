-- What schedules have started, a page of it. $1 start integer, $2 size integer, $3 most integer: so many are counted
-- Returns hits bigint, and id, schedule, workflow, tick, zone, state, reason, request, at (null: there are none), in order.
-- Conditions and order are put in by store/search-sql.ts. Index: scheduled_run_of, scheduled_run_at.
with fits as materialized (
  select e.* from lineshaft.scheduled_run e
  where (true /* search conditions */)
  order by e.at desc /* search order */, e.id desc
  offset $1::integer limit $2::integer
),
counted as (
  select count(*) as hits
  from (select from lineshaft.scheduled_run e where (true /* search conditions */) limit $3::integer) c
)
select c.hits, e.*
from counted c left join fits e on true
order by e.at desc /* search order */, e.id desc
