-- How long until the next schedule comes due, and whether ticks wait for the job before them.
-- Returns wait_ms double precision (0 or less: now; null: none), waits boolean. Index: schedule_due, schedule_waiting.
select
  (select extract(epoch from s.next_due - clock_timestamp()) * 1000
   from lineshaft.schedule s where s.next_due is not null order by s.next_due, s.id limit 1) as wait_ms,
  exists (select from lineshaft.schedule s where s.waiting <> '{}') as waits
