-- Schedules of workflows: ticks of the schedules of 0004 that start runs. Their rules are rows of `schedule`, one for each cron
-- rule, which belong to a row here; what a tick starts is kept in scheduled_run until the run has started, and then as a
-- record of it.
-- Lock cost: lineshaft.schedule is locked for adding a column without a default: no rewrite, a moment.

create table lineshaft.workflow_schedule (
  id bigint generated always as identity primary key,
  name text not null unique check (length(name) between 1 and 200),
  -- The workflow that it starts.
  workflow text not null,
  -- As it was given, but for what the columns say.
  document json not null,
  request json not null,
  paused boolean not null default false,
  paused_reason text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index workflow_schedule_of on lineshaft.workflow_schedule (workflow);
alter table lineshaft.schedule add column workflow_schedule bigint references lineshaft.workflow_schedule (id) on delete cascade;
create index schedule_of_workflow on lineshaft.schedule (workflow_schedule) where workflow_schedule is not null;

-- A tick: `id` is also that of its run, so that it starts once whoever tries, and however often.
create table lineshaft.scheduled_run (
  id uuid primary key,
  schedule text not null,
  workflow text not null,
  tick timestamptz not null,
  zone text not null,
  -- POLLED: it is to be started. EXECUTED, or FAILED with a reason.
  state text not null default 'POLLED' check (state in ('POLLED', 'EXECUTED', 'FAILED')),
  reason text,
  request json not null,
  at timestamptz not null default clock_timestamp()
);
create index scheduled_run_due on lineshaft.scheduled_run (tick, id) where state = 'POLLED';
create index scheduled_run_of on lineshaft.scheduled_run (schedule, at);
create index scheduled_run_at on lineshaft.scheduled_run (at);

-- Makes a schedule be what is said: `rules` is [{cron, zone}], checked by the caller. Where rules and times are the same its
-- clocks go on. `settings`: {starts, ends (ms since 1970), catchup, paused, reason, workflow}.
create function lineshaft.put_workflow_schedule(of_name text, rules jsonb, settings jsonb, document json, request json)
returns void language plpgsql as $$
declare
  kept lineshaft.workflow_schedule;
  present timestamptz := date_trunc('milliseconds', clock_timestamp());
  starts timestamptz := to_timestamp((settings ->> 'starts')::double precision / 1000);
  ends timestamptz := to_timestamp((settings ->> 'ends')::double precision / 1000);
  is_paused boolean := coalesce((settings ->> 'paused')::boolean, false);
  catchup boolean := coalesce((settings ->> 'catchup')::boolean, false);
begin
  insert into lineshaft.workflow_schedule as w (name, workflow, document, request, paused, paused_reason)
  values (of_name, settings ->> 'workflow', document, request, is_paused, settings ->> 'reason')
  on conflict (name) do update
  set workflow = excluded.workflow, document = excluded.document, request = excluded.request, paused = excluded.paused,
    paused_reason = excluded.paused_reason, updated_at = present
  returning w.* into kept;
  delete from lineshaft.schedule s
  where s.workflow_schedule = kept.id
    and not exists (
      select from jsonb_array_elements(rules) as r (rule)
      where s.cron = r.rule ->> 'cron' and s.time_zone = r.rule ->> 'zone'
        and s.starts_at is not distinct from starts and s.ends_at is not distinct from ends
        and (s.state = 'paused') = is_paused);
  update lineshaft.schedule s
  set backfill = case when catchup then 'all' else 'last' end, revision = s.revision + 1, updated_at = present
  where s.workflow_schedule = kept.id;
  insert into lineshaft.schedule (project_id, name, workflow_schedule, cron, time_zone, starts_at, ends_at, backfill,
    backfill_within_ms, backfill_most, template, payload, state, anchor, plan_from, next_due)
  select 1, format('workflow-%s', lineshaft.uuid_v7()), kept.id, r.rule ->> 'cron', r.rule ->> 'zone', starts, ends,
    case when catchup then 'all' else 'last' end, 2678400000, 1000, '{}', '{}',
    case when is_paused then 'paused' else 'active' end, present, present, case when not is_paused then present end
  from jsonb_array_elements(rules) as r (rule)
  where not exists (
    select from lineshaft.schedule s
    where s.workflow_schedule = kept.id and s.cron = r.rule ->> 'cron' and s.time_zone = r.rule ->> 'zone');
  perform pg_notify('lineshaft', 's');
end
$$;

-- A paused schedule starts nothing, and what would have come due meanwhile is not made up for. Returns whether it exists.
create function lineshaft.pause_workflow_schedule(of_name text, why text, pause boolean)
returns boolean language plpgsql as $$
declare
  changed bigint;
  present timestamptz := date_trunc('milliseconds', clock_timestamp());
begin
  update lineshaft.workflow_schedule w
  set paused = pause, paused_reason = case when pause then why end, updated_at = present
  where w.name = of_name
  returning w.id into changed;
  if changed is null then
    return false;
  end if;
  if pause then
    update lineshaft.schedule s
    set state = 'paused', pause_reason = why, paused_at = coalesce(s.paused_at, present), next_tick = null,
      next_due = null, revision = s.revision + 1, updated_at = present
    where s.workflow_schedule = changed;
  else
    update lineshaft.schedule s
    set state = 'active', pause_reason = null, paused_at = null, plan_from = present, next_tick = null,
      next_due = present, revision = s.revision + 1, updated_at = present
    where s.workflow_schedule = changed and s.state = 'paused';
  end if;
  perform pg_notify('lineshaft', 's');
  return true;
end
$$;

-- Notes runs that are to start at once: the ticks of schedules (by the ids of their rules). Of each schedule the newest
-- thousand are remembered. Called by: run_schedules.
create function lineshaft.note_scheduled_runs(rules bigint[], ticks timestamptz[])
returns void language plpgsql as $$
declare
  of_schedule text;
begin
  insert into lineshaft.scheduled_run (id, schedule, workflow, tick, zone, request)
  select lineshaft.uuid_v7(), w.name, w.workflow, t.tick, s.time_zone, w.request
  from unnest(rules, ticks) with ordinality as t (rule, tick, n)
  join lineshaft.schedule s on s.id = t.rule
  join lineshaft.workflow_schedule w on w.id = s.workflow_schedule
  order by t.n;
  for of_schedule in
    select distinct w.name from lineshaft.schedule s join lineshaft.workflow_schedule w on w.id = s.workflow_schedule
    where s.id = any (rules)
  loop
    delete from lineshaft.scheduled_run r
    where r.id in (
      select o.id from lineshaft.scheduled_run o
      where o.schedule = of_schedule and o.state <> 'POLLED'
      order by o.at desc offset 1000 limit 1000);
  end loop;
end
$$;
