-- The lanes proper of which keyed lanes have turns, by jumping from one to the next in the index. $1 most integer
-- Returns base. Locks: none. Index: turn_order, one probe a base. Called by: the claim loop, where there are limits.
with recursive hop as (
  (select t.base, 1 as n from lineshaft.turn t order by t.base limit 1)
  union all
  select (select t.base from lineshaft.turn t where t.base > h.base order by t.base limit 1), h.n + 1
  from hop h
  where h.base is not null and h.n < $1::integer
)
select distinct abs(h.base) as base from hop h where h.base is not null
