-- Ends jobs under limits for good and keeps nothing of them (retention 0). Otherwise as complete_keyed.
-- $1 leases bigint[], $2 ids uuid[], $3 fences integer[], $4 finished bigint[]
with held as materialized (
  select l.id from lineshaft.lease l where l.id = any ($1::bigint[]) for key share
),
done as (
  delete from lineshaft.job j
  -- One walk through the index, in the order of ids, whatever the planner takes the table for: a plan is made once, perhaps
  -- while it is empty. Within a case the pairs are a table of hashes and not a join.
  where j.id = any ($2::uuid[]) and case
    when (j.id, j.fence) in (select r.id, r.fence from unnest($2::uuid[], $3::integer[]) as r (id, fence)) then true
  end
  returning j.id, j.lane, j.costs
),
released as (
  delete from lineshaft.lease l where l.id = any ($4::bigint[])
)
select lineshaft.demand((select count(*) from held), cardinality($1::bigint[])::bigint),
  lineshaft.demand((select count(*) from done), cardinality($2::uuid[])::bigint),
  case when exists (select from lineshaft.waiter where until > now()) then lineshaft.announce($2::uuid[]) end,
  lineshaft.release(array(
    select (d.lane, d.costs, 'e', array_agg(d.id))::lineshaft.freed from done d group by d.lane, d.costs
  ))
