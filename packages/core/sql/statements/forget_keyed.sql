-- Ends jobs under limits for good and keeps nothing of them (retention 0). Otherwise as complete_keyed.
-- $1 leases bigint[], $2 ids uuid[], $3 fences integer[], $4 finished bigint[]
with held as materialized (
  select l.id from lineshaft.lease l where l.id = any ($1::bigint[]) for key share
),
mine as materialized (
  -- Looked up one by one, whatever the planner takes the tables for: a plan is made once, perhaps while they are empty.
  select j.place
  from unnest($2::uuid[], $3::integer[]) as r (id, fence)
  cross join lateral (
    select k.ctid as place from lineshaft.job k where k.id = r.id and k.fence = r.fence limit 1 for update
  ) j
),
done as (
  delete from lineshaft.job j
  where j.ctid = any (array(select m.place from mine m))
  returning j.id, j.lane, j.costs
),
released as (
  delete from lineshaft.lease l where l.id = any ($4::bigint[])
)
select lineshaft.demand((select count(*) from held), cardinality($1::bigint[])::bigint),
  lineshaft.demand((select count(*) from done), cardinality($2::uuid[])::bigint),
  case when exists (select from lineshaft.waiter where until > now()) then lineshaft.announce($2::uuid[]) end,
  lineshaft.release(array(select (d.id, d.lane, d.costs, 'e')::lineshaft.freed from done d))
