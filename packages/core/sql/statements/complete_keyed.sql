-- As complete, for jobs under limits: gives their room back, last of all, and opens the lanes that wait for it.
-- $1 leases bigint[] (of these jobs), $2 ids uuid[] (sorted), $3 fences integer[], $4 finished bigint[] (leases that have no jobs left),
-- $5 keep_ms double precision, $6 lanes integer[] (distinct, proper), $7 entries text (a line per job, in the order of ids),
-- $8 outcome text (of all), $9 and $10 double precision (ms): when the first and the last of them was made
-- Locks: key share on the leases, the jobs, then the counters. Index: lease_pkey, job_pkey, counter_pkey.
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
kept as (
  insert into lineshaft.history (expires_at, ids, id_span, lanes, entries, outcome, created_from, created_to)
  values (
    now() + $5::double precision * interval '1 millisecond',
    $2::uuid[],
    lineshaft.id_range(($2::uuid[])[1], ($2::uuid[])[cardinality($2::uuid[])], '[]'),
    $6::integer[],
    $7::text,
    $8::text,
    timestamptz 'epoch' + $9::double precision * interval '1 millisecond',
    timestamptz 'epoch' + $10::double precision * interval '1 millisecond'
  )
  returning 1
)
select lineshaft.demand((select count(*) from held), cardinality($1::bigint[])::bigint),
  lineshaft.demand((select count(*) from done), cardinality($2::uuid[])::bigint),
  case when exists (select from lineshaft.waiter where until > now()) then lineshaft.announce($2::uuid[]) end,
  (select count(*) from kept),
  lineshaft.release(array(
    select (d.lane, d.costs, 'e', array_agg(d.id))::lineshaft.freed from done d group by d.lane, d.costs
  ))
