-- What comes next: asked for by everyone who sleeps until something comes due, and brought home by each heartbeat.
-- Lock cost: new objects only, and an index of the small table queue.

create index queue_resume on lineshaft.queue (resume_at) where state = 'paused' and resume_at is not null;

-- One row. Milliseconds until: a job comes due or is to be taken in from the inbox, a schedule comes due, a paused queue
-- is resumed (0 or less: now; null: none is in sight). Besides, whether ticks of schedules wait for the job before them,
-- and whether anything at all may be claimed. Each answer is one probe of an index.
create view lineshaft.outlook as
select
  case
    when exists (select from lineshaft.inbox i order by i.at, i.seq limit 1) then 0
    else (
      select extract(epoch from l.due - clock_timestamp()) * 1000
      from lineshaft.later l order by l.due, l.seq limit 1
    )
  end as job_ms,
  (
    select extract(epoch from s.next_due - clock_timestamp()) * 1000
    from lineshaft.schedule s where s.next_due is not null order by s.next_due, s.id limit 1
  ) as schedule_ms,
  (
    select extract(epoch from q.resume_at - clock_timestamp()) * 1000
    from lineshaft.queue q where q.state = 'paused' and q.resume_at is not null order by q.resume_at limit 1
  ) as resume_ms,
  exists (select from lineshaft.schedule s where s.waiting <> '{}') as ticks_wait,
  (select r.lane from lineshaft.ready r order by r.lane, r.priority desc limit 1) is not null as any_ready;
