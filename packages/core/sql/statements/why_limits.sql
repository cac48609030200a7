-- The limits of keyed lanes that leave no room now, and who holds them. $1 lanes integer[], $2 job uuid (null: none; what
-- it takes of each limit), $3 leases integer: looks for holders in no more, the newest first
-- Returns lane, name, project, key, used, concurrency (null: any), need, per_second (null: no rate), tokens, closed_ms,
-- open_ms (when there will be tokens for it), fifo, holder (of a FIFO limit), holders uuid[] (running jobs, at most 5).
-- Locks: none. Index: lane_pkey, counter_pkey, job_pkey. Called by: why.
with wanted as materialized (
  select k.id as lane, u.limit_id, u.key, coalesce(u.cost, 1) as need
  from lineshaft.lane k
  left join lineshaft.job j on j.id = $2::uuid and j.lane = k.id
  cross join lateral unnest(k.limits, k.keys, j.costs) as u (limit_id, key, cost)
  where k.id = any ($1::integer[]) and u.limit_id is not null
),
judged as materialized (
  select w.lane, w.limit_id, l.name, p.name as project, w.key, c.used, e.concurrency, w.need, e.per_ms, l.fifo, c.holder,
    case when e.per_ms is not null then lineshaft.tokens_of(c, e.per_ms, e.burst, clock_timestamp()) end as tokens,
    case
      when e.per_ms is not null
      then lineshaft.tokens_due(
        c, e.per_ms, e.burst, lineshaft.tokens_of(c, e.per_ms, e.burst, clock_timestamp()), w.need, clock_timestamp()
      )
    end as open_at,
    case when c.closed_until > clock_timestamp() then c.closed_until end as closed_until,
    lineshaft.room_of(c, e.concurrency, e.per_ms, e.burst, clock_timestamp()) as room
  from wanted w
  join lineshaft.limit l on l.id = w.limit_id
  join lineshaft.project p on p.id = l.project_id
  join lineshaft.counter c on c.limit_id = w.limit_id and c.key = w.key
  cross join lateral lineshaft.terms_of(l, w.key) e
),
full_ones as materialized (
  select j.* from judged j where j.room < j.need or (j.fifo and j.holder is not null and j.holder is distinct from $2::uuid)
),
running as materialized (
  select h.id, u.limit_id, u.key
  from (select e.job_ids, e.fences from lineshaft.lease e order by e.id desc limit $3::integer) e
  cross join lateral unnest(e.job_ids, e.fences) as h (id, fence)
  join lineshaft.job j on j.id = h.id and j.fence = h.fence and j.lane < 0
  join lineshaft.lane k on k.id = j.lane
  cross join lateral unnest(k.limits, k.keys) as u (limit_id, key)
  where exists (select from full_ones)
)
select f.lane, f.name, f.project, f.key, f.used, f.concurrency, f.need, f.per_ms * 1000 as per_second, f.tokens, f.fifo, f.holder,
  (extract(epoch from f.closed_until) * 1000)::double precision as closed_ms,
  case
    when f.per_ms is not null and f.tokens < f.need
    then (extract(epoch from f.open_at) * 1000)::double precision
  end as open_ms,
  array(
    select r.id::text from running r where r.limit_id = f.limit_id and r.key = f.key and r.id is distinct from $2::uuid limit 5
  ) as holders
from full_ones f
