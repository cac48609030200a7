-- How long until the next job comes due, or is to be taken in from the inbox.
-- Returns wait_ms double precision (0 or less: now), null if none waits. Index: later_due, inbox_order.
select case
  when exists (select from lineshaft.inbox i order by i.at, i.seq limit 1) then 0
  else (
    select extract(epoch from l.due - clock_timestamp()) * 1000
    from lineshaft.later l
    order by l.due, l.seq
    limit 1
  )
end as wait_ms
