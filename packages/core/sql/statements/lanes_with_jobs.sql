-- The lanes that have jobs to claim, by jumping from lane to lane in the order book: the index is the directory.
-- $1 after integer: a lane number to start behind, $2 most integer
-- Returns lane. Locks: none. Index: ready_order, one probe a lane. Called by: the claim loop when it knows of no more work.
with recursive hop as (
  (select r.lane, 1 as n from lineshaft.ready r where r.lane > $1::integer order by r.lane limit 1)
  union all
  select (select r.lane from lineshaft.ready r where r.lane > h.lane order by r.lane limit 1), h.n + 1
  from hop h
  where h.lane is not null and h.n < $2::integer
)
select h.lane from hop h where h.lane is not null
