-- The newest of the runs of a name that have ended and are more than are kept. $1 name text, $2 keep integer
-- Returns created_at, id; no row: there are not more. Index: run_by_name, `keep` entries of each status.
-- Called by: the pruner and `lineshaft prune`.
select r.created_at, r.id
from (values ('COMPLETED'), ('FAILED'), ('TERMINATED'), ('TIMED_OUT')) as s (status)
cross join lateral (
  select r.created_at, r.id
  from lineshaft.run r
  where r.name = $1::text and r.status = s.status
  order by r.created_at desc, r.id desc
  limit $2::integer + 1
) r
order by r.created_at desc, r.id desc
offset $2::integer
limit 1
