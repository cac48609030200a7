-- Events of workflows: what is to be done when a message comes, the messages that wait for it, and what was done; messages to runs.
-- And what comes next, of all that anybody waits for: the view outlook.
-- Lock cost: new objects.

create table lineshaft.event_handler (
  name text primary key,
  event text not null,
  active boolean not null,
  handler json not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index event_handler_of on lineshaft.event_handler (event) where active;

-- A message until all of its handlers have seen it. `id` is that of the step that sent it, so that none comes twice. Whoever
-- takes one moves `due`: if he dies, others take it then.
create table lineshaft.event_message (
  id uuid primary key,
  event text not null,
  payload json not null,
  due timestamptz not null default clock_timestamp(),
  attempts integer not null default 0,
  at timestamptz not null default clock_timestamp()
) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
create index event_message_due on lineshaft.event_message (due);

-- What an action of a handler did with a message, for a while.
create table lineshaft.event_execution (
  message_id uuid not null,
  handler text not null,
  -- Its place among the actions of the handler; 0 also where the condition did not hold.
  action integer not null,
  event text not null,
  -- start_workflow, complete_task, fail_task; null: none was done.
  type text,
  status text not null check (status in ('COMPLETED', 'FAILED', 'SKIPPED')),
  output json not null,
  at timestamptz not null default clock_timestamp(),
  primary key (message_id, handler, action)
);
create index event_execution_at on lineshaft.event_execution (at);

-- Sends the messages of EVENT steps that were just written; what nobody handles is not kept. `events`: null for other steps.
create function lineshaft.send_events(ids uuid[], events text[], outputs json[])
returns void language plpgsql as $$
begin
  insert into lineshaft.event_message (id, event, payload)
  select f.id, f.event, f.output
  from unnest(ids, events, outputs) as f (id, event, output)
  where exists (select from lineshaft.event_handler h where h.active and h.event = f.event)
  on conflict (id) do nothing;
  if found then
    perform pg_notify('lineshaft', 'm');
  end if;
end
$$;

-- What comes next: asked for by everyone who sleeps until something comes due, and brought home by each heartbeat. One row.
-- Milliseconds until: a job comes due or is to be taken in from the inbox, a schedule comes due, a paused queue is resumed, a
-- run needs somebody (a mark has not been decided on for a second, its time to wake comes, a message of an event waits); 0
-- or less: now; null: none is in sight. Besides, whether ticks of schedules wait for the job before them, and whether
-- anything at all may be claimed. Each answer is one probe of an index.
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
  (select r.lane from lineshaft.ready r order by r.lane, r.priority desc limit 1) is not null as any_ready,
  least(
    (
      select extract(epoch from m.at - clock_timestamp()) * 1000 + 1000
      from lineshaft.mark m order by m.id limit 1
    ),
    (
      select extract(epoch from r.wake_at - clock_timestamp()) * 1000
      from lineshaft.run r where r.wake_at is not null order by r.wake_at limit 1
    ),
    (
      select extract(epoch from e.due - clock_timestamp()) * 1000
      from lineshaft.event_message e order by e.due limit 1
    )
  ) as run_ms;

-- Messages to runs, until their run is removed: `step_id` is the step that has taken one.
create table lineshaft.run_message (
  id uuid primary key,
  run_id uuid not null,
  seq bigint generated always as identity,
  payload json not null,
  step_id uuid,
  at timestamptz not null default clock_timestamp()
);
create index run_message_order on lineshaft.run_message (run_id, seq);
create index run_message_waiting on lineshaft.run_message (run_id) where step_id is null;
