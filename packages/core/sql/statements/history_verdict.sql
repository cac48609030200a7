-- What is to be done with a partition of history, from what its rows say of themselves; no line is read. The rule is put
-- in for the marks. $1 and $2 timestamptz: from when until before when it goes
-- Returns jobs bigint where all of it may go (null: something stays), and whether much of it is past its time and yet it
-- stays for longer than a day: then it is worth to delete row by row. Called by: the pruner and `lineshaft prune`.
select
  case
    when not exists (
      select from lineshaft.history h
      where h.finished_at >= $1::timestamptz and h.finished_at < $2::timestamptz
        and h.expires_at > now() and not (false /* rule covers */)
    )
    then (
      select coalesce(sum(h.jobs), 0)
      from lineshaft.history h
      where h.finished_at >= $1::timestamptz and h.finished_at < $2::timestamptz
    )
  end as jobs,
  exists (
    select from lineshaft.history h
    where h.finished_at >= $1::timestamptz and h.finished_at < $2::timestamptz and h.expires_at <= now()
  )
  and exists (
    select from lineshaft.history h
    where h.finished_at >= $1::timestamptz and h.finished_at < $2::timestamptz and h.expires_at > now() + interval '1 day'
  ) as lingers
