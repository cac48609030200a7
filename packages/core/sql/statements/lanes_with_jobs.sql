-- The lanes that have jobs to claim, by jumping from lane to lane in the order book: the index is the directory.
-- $1 after integer: a lane number to start behind, $2 most integer
-- Returns lane, priority (of its first job). Locks: none. Index: ready_order, one probe a lane.
-- Called by: the claim loop when it knows of no more work.
with recursive hop as (
  (
    select r.lane, r.priority, 1 as n
    from lineshaft.ready r
    where r.lane > $1::integer
    order by r.lane, r.priority desc
    limit 1
  )
  union all
  select next.lane, next.priority, h.n + 1
  from hop h
  cross join lateral (
    select r.lane, r.priority
    from lineshaft.ready r
    where r.lane > h.lane
    order by r.lane, r.priority desc
    limit 1
  ) next
  where h.n < $2::integer
)
select h.lane, h.priority from hop h
