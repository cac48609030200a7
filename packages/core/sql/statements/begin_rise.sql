-- Begins a turn of a re-prioritiser when its interval is over, or goes on with the one that runs; holds its row, so that
-- one at a time is at it. $1 name text, $2 interval (ms) double precision, $3 term bigint (of the leader)
-- Returns behind uuid (null: this turn is over), wait_ms until the next, led.
insert into lineshaft.rise as r (name, began_at, behind)
values ($1::text, clock_timestamp(), '00000000-0000-0000-0000-000000000000')
on conflict (name) do update
set (began_at, behind) = (
  select case when over then clock_timestamp() else r.began_at end,
    case when over then '00000000-0000-0000-0000-000000000000' else r.behind end
  from (select r.began_at + $2::double precision * interval '1 millisecond' <= clock_timestamp() as over) t
)
returning behind,
  (extract(epoch from began_at - clock_timestamp()) * 1000 + $2::double precision)::double precision as wait_ms,
  lineshaft.demand_leader($3::bigint) as led
