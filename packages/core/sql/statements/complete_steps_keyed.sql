-- As complete_steps, for steps under limits: gives their room back, last of all, and opens the lanes that wait for it.
-- $1 leases bigint[] (of these jobs), $2 ids uuid[] (sorted), $3 fences integer[],
-- $4 finished bigint[] (leases that have no jobs left), $5 events json (a RunEvent per job, in the order of ids)
-- Returns held and done boolean (true, or it fails with LS409), mark bigint, run uuid, step uuid: of each mark; a job whose
-- run is gone has none. Locks: key share on the leases, the jobs, then the counters. Index: lease_pkey, job_pkey, step_id.
-- Called by: the completion flusher.
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
),
ended as materialized (
  select e.id, e.event, s.run_id
  from rows from (unnest($2::uuid[]), json_array_elements($5::json)) as e (id, event)
  cross join lateral (select t.run_id from lineshaft.step t where t.id = e.id limit 1) s
),
marked as (
  insert into lineshaft.mark (run_id, step_id, event)
  select e.run_id, e.id, e.event from ended e
  returning id, run_id, step_id
)
select c.held, c.done, m.id, m.run_id, m.step_id, c.freed is null as freed
from (
  select lineshaft.demand((select count(*) from held), cardinality($1::bigint[])::bigint) as held,
    lineshaft.demand((select count(*) from done), cardinality($2::uuid[])::bigint) as done,
    lineshaft.release(array(
      select (d.lane, d.costs, 'e', array_agg(d.id))::lineshaft.freed from done d group by d.lane, d.costs
    )) as freed
) c
left join marked m on true
