-- How long until a worker that rests must look again: something comes due, a queue is resumed, the lease of a worker
-- that holds jobs runs out, or that of a single job. 0 where something waits that only a worker moves on.
-- Returns wait_ms double precision; null: nothing is in sight. Index: later_due, schedule_due, lease_worker, inbox_order, run_wake.
-- Called by: a worker that would let the database sleep.
select extract(epoch from least(
    (select l.due from lineshaft.later l order by l.due, l.seq limit 1),
    (select s.next_due from lineshaft.schedule s where s.next_due is not null order by s.next_due, s.id limit 1),
    (select min(q.resume_at) from lineshaft.queue q where q.state = 'paused'),
    (select min(w.lease_until) from lineshaft.worker w where w.id > 0 and exists (select from lineshaft.lease e where e.worker = w.id)),
    (select l.until from lineshaft.job_lease l order by l.until limit 1),
    (select r.wake_at from lineshaft.run r where r.wake_at is not null order by r.wake_at limit 1),
    case
      when exists (select from lineshaft.inbox)
        or exists (select from lineshaft.mark)
        or exists (select from lineshaft.schedule s where s.waiting <> '{}')
        or exists (select from lineshaft.blocked b where b.reason <> 'upgrade-failed')
      then clock_timestamp()
    end
  ) - clock_timestamp()) * 1000 as wait_ms
