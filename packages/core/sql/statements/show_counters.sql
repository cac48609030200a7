-- The keys in use of a limit, those first that jobs wait for. $1 limit integer, $2 most integer
-- Returns key, used, concurrency, tokens, parked, closed_until. Index: counter_pkey, parked_order. Called by: the limit book.
select c.key, c.used, e.concurrency,
  case when e.per_ms is not null then lineshaft.tokens_of(c, e.per_ms, e.burst, clock_timestamp()) end as tokens,
  (
    select count(*)::integer
    from (select from lineshaft.parked k where k.limit_id = c.limit_id and k.key = c.key limit 1000) p
  ) as parked,
  case when c.closed_until > clock_timestamp() then c.closed_until end as closed_until
from (select * from lineshaft.counter c where c.limit_id = $1::integer limit 10000) f
join lineshaft.counter c on c.limit_id = f.limit_id and c.key = f.key
join lineshaft.limit l on l.id = c.limit_id
cross join lateral lineshaft.terms_of(l, c.key) e
order by parked desc, c.used desc, c.key
limit $2::integer
