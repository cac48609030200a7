-- Ends jobs under limits for good and keeps nothing of them (retention 0). Otherwise as complete_keyed.
-- $1 leases bigint[], $2 ids uuid[], $3 fences integer[], $4 finished bigint[]
with held as materialized (
  select l.id from lineshaft.lease l where l.id = any ($1::bigint[]) for key share
),
done as (
  delete from lineshaft.job j
  using unnest($2::uuid[], $3::integer[]) as r (id, fence)
  where j.id = r.id and j.fence = r.fence
  returning j.id, j.lane, j.costs
),
released as (
  delete from lineshaft.lease l where l.id = any ($4::bigint[])
)
select lineshaft.demand((select count(*) from held), cardinality($1::bigint[])::bigint),
  lineshaft.demand((select count(*) from done), cardinality($2::uuid[])::bigint),
  case when exists (select from lineshaft.waiter where until > now()) then lineshaft.announce($2::uuid[]) end,
  lineshaft.release(array(select (d.id, d.lane, d.costs, 'e')::lineshaft.freed from done d))
