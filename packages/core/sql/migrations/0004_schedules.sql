-- Schedules: rules that make jobs. Rules are data; when they come due is computed in TypeScript (domain/cron-next.ts),
-- and applied here, in the transaction that enqueues the jobs.
-- Lock cost: new objects only.

-- What was declared, where its clock stands, and what became of the last tick.
create table lineshaft.schedule (
  id bigint generated always as identity primary key,
  project_id bigint not null references lineshaft.project (id),
  name text not null check (name ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$'),
  -- A cron rule in a time zone, or every so many milliseconds since `anchor`.
  cron text,
  time_zone text not null default 'UTC',
  every_ms bigint check (every_ms between 1000 and 31622400000),
  starts_at timestamptz,
  ends_at timestamptz,
  jitter_ms integer not null default 0 check (jitter_ms between 0 and 86400000),
  backfill text not null default 'last' check (backfill in ('none', 'last', 'all')),
  backfill_within_ms bigint not null default 86400000 check (backfill_within_ms between 1000 and 2678400000),
  backfill_most integer not null default 100 check (backfill_most between 1 and 1000),
  overlap text not null default 'allow' check (overlap in ('allow', 'skip', 'replace', 'queue')),
  -- Kind and options as enqueue_many takes them.
  template jsonb not null,
  payload json not null,
  state text not null default 'active' check (state in ('active', 'paused')),
  pause_reason text,
  paused_at timestamptz,
  -- The clock. `next_due` is `next_tick` with its jitter. With `next_due` and no `next_tick` it is to be planned, from the
  -- later of `plan_from` and `last_tick`; without both it has ended, or is paused.
  anchor timestamptz not null,
  plan_from timestamptz not null,
  next_tick timestamptz,
  next_due timestamptz,
  -- Grows with every change: a plan that was made of an older row is not applied. This makes one job of each tick.
  revision integer not null default 0,
  -- Ticks whose turn comes when the job before them has finished (overlap: queue).
  waiting timestamptz[] not null default '{}' check (cardinality(waiting) <= 100),
  last_tick timestamptz,
  last_job_id uuid,
  last_run_tick timestamptz,
  last_run_at timestamptz,
  runs bigint not null default 0,
  skipped bigint not null default 0,
  missed bigint not null default 0,
  trouble text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (project_id, name),
  check ((cron is null) <> (every_ms is null)),
  check (ends_at > starts_at)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);
create index schedule_due on lineshaft.schedule (next_due, id) where next_due is not null;
create index schedule_waiting on lineshaft.schedule (id) where waiting <> '{}';

-- A schedule by name; locks its row. Refuses one that does not exist.
create function lineshaft.schedule_of(of_name text, of_project text)
returns lineshaft.schedule language plpgsql as $$
declare
  found_schedule lineshaft.schedule;
begin
  select s.* into found_schedule
  from lineshaft.schedule s join lineshaft.project p on p.id = s.project_id
  where p.name = of_project and s.name = of_name and s.workflow_schedule is null
  for update of s;
  if not found then
    perform lineshaft.fail('LS404', 'SCHEDULE_NOT_FOUND',
      format('schedule %L not found in project %L', of_name, of_project), 'see lineshaft schedule list',
      jsonb_build_object('schedule', of_name, 'project', of_project));
  end if;
  return found_schedule;
end
$$;

-- Refuses what cannot be declared, with the field. What a cron rule means only TypeScript knows: of a rule that came by
-- SQL the form is checked here, and what is wrong with it besides is found when it is planned (column trouble).
create function lineshaft.check_schedule(settings jsonb)
returns void language plpgsql stable as $$
declare
  unknown text;
  part text;
begin
  select k into unknown from jsonb_object_keys(settings) k
  where k not in ('cron', 'timeZone', 'everyMs', 'startAt', 'endAt', 'jitterMs', 'backfill', 'overlap', 'kind', 'options')
  limit 1;
  if unknown is not null then
    perform lineshaft.fail('LS400', 'OPTION_UNKNOWN', format('there is no option %L', unknown),
      'options: cron, timeZone, everyMs, startAt, endAt, jitterMs, backfill, overlap, kind, options',
      jsonb_build_object('field', unknown));
  end if;
  foreach part in array array['cron', 'timeZone', 'startAt', 'endAt', 'overlap', 'kind'] loop
    if jsonb_typeof(settings -> part) <> 'string' then
      perform lineshaft.refuse(part, settings -> part, 'a text');
    end if;
  end loop;
  if (settings ? 'cron') = (settings ? 'everyMs') then
    perform lineshaft.refuse('cron', settings -> 'cron', 'given, or else everyMs', 'a schedule has one of the two');
  end if;
  if settings ->> 'cron' !~ '^\s*(@[A-Za-z]+|([A-Za-z0-9*?/,#-]+\s+){4,5}[A-Za-z0-9*?/,#-]+)\s*$' then
    perform lineshaft.refuse('cron', settings -> 'cron', '5 or 6 fields, or a name such as @daily', 'like "30 2 * * MON-FRI"');
  end if;
  if settings ? 'timeZone' and settings ? 'everyMs' then
    perform lineshaft.refuse('timeZone', settings -> 'timeZone', 'left out with everyMs', 'an interval knows no time zone');
  end if;
  perform lineshaft.check_number(settings, 'everyMs', 1000, 31622400000);
  perform lineshaft.check_number(settings, 'jitterMs', 0, 86400000);
  foreach part in array array['startAt', 'endAt'] loop
    if settings ->> part !~ '^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?([Zz]|[+-]\d\d(:?\d\d)?)$' then
      perform lineshaft.refuse(part, settings -> part, 'a time with a zone', 'like "2030-01-31T08:00:00Z"');
    end if;
  end loop;
  if (settings ->> 'endAt')::timestamptz <= (settings ->> 'startAt')::timestamptz then
    perform lineshaft.refuse('endAt', settings -> 'endAt', 'later than startAt');
  end if;
  if settings ->> 'overlap' not in ('allow', 'skip', 'replace', 'queue') then
    perform lineshaft.refuse('overlap', settings -> 'overlap', 'allow, skip, replace or queue');
  end if;
  if jsonb_typeof(settings -> 'backfill') = 'object' then
    perform lineshaft.check_fields(settings, 'backfill', array['withinMs', 'most']);
    perform lineshaft.check_range(settings, '{backfill,withinMs}', 1000, 2678400000);
    perform lineshaft.check_range(settings, '{backfill,most}', 1, 1000);
  elsif coalesce(settings ->> 'backfill', 'last') not in ('none', 'last') then
    perform lineshaft.refuse('backfill', settings -> 'backfill', 'none, last, or {"withinMs", "most"}');
  end if;
end
$$;

-- The options of the jobs of a schedule, as enqueue takes them.
create function lineshaft.check_schedule_template(template jsonb, payload json)
returns void language plpgsql as $$
declare
  part text;
begin
  foreach part in array array['id', 'runAt', 'delayMs'] loop
    if template ? part then
      perform lineshaft.refuse('options.' || part, template -> part, 'left out', 'the schedule says when its jobs run');
    end if;
  end loop;
  if template #> '{labels,schedule}' is not null or template #> '{meta,schedule}' is not null then
    perform lineshaft.refuse('options', template #> '{labels,schedule}', 'without a label or meta named schedule',
      'the schedule sets both');
  end if;
  perform lineshaft.check_details(template);
  perform lineshaft.check_template(template);
  perform lineshaft.queue_of(template);
  perform lineshaft.check_sizes(('[' || payload || ']')::json);
end
$$;

-- Makes a schedule, or makes it be what is said now: what is left out has its default. Its clock goes on where neither
-- rule nor start have changed; where nothing has, nothing is written. `trusted`: the caller has checked zone and rule.
-- Example: select * from lineshaft.declare_schedule('report', '{"cron": "0 6 * * *", "kind": "make-report"}');
create function lineshaft.declare_schedule(
  of_name text, settings jsonb, payload json default '{}', of_project text default 'default', trusted boolean default false,
  out id bigint, out result text
)
language plpgsql as $$
#variable_conflict use_column
declare
  wanted lineshaft.schedule;
  kept lineshaft.schedule;
  present timestamptz := date_trunc('milliseconds', clock_timestamp());
  owner bigint;
  same_rule boolean;
begin
  settings := (select coalesce(jsonb_object_agg(o.key, o.value), '{}') from jsonb_each(settings) o where o.value <> 'null');
  perform lineshaft.check_schedule(settings);
  if coalesce(of_name, '') !~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$' then
    perform lineshaft.refuse('name', to_jsonb(of_name), '1 to 63 letters, digits or _ . -, starting with a letter or digit');
  end if;
  select p.id into owner from lineshaft.project p where p.name = of_project;
  if not found then
    perform lineshaft.fail('LS404', 'PROJECT_NOT_FOUND', format('project %L not found', of_project),
      'create it: lineshaft project create NAME', jsonb_build_object('project', of_project));
  end if;
  if not trusted and settings ? 'timeZone' then
    begin
      perform now() at time zone (settings ->> 'timeZone');
    exception when invalid_parameter_value then
      perform lineshaft.refuse('timeZone', settings -> 'timeZone', 'an IANA time zone', 'like "Europe/Berlin"');
    end;
  end if;
  wanted.cron := btrim(settings ->> 'cron');
  wanted.time_zone := coalesce(settings ->> 'timeZone', 'UTC');
  wanted.every_ms := (settings ->> 'everyMs')::bigint;
  wanted.starts_at := (settings ->> 'startAt')::timestamptz;
  wanted.ends_at := (settings ->> 'endAt')::timestamptz;
  wanted.jitter_ms := coalesce((settings ->> 'jitterMs')::integer, 0);
  wanted.backfill := case when jsonb_typeof(settings -> 'backfill') = 'object' then 'all'
    else coalesce(settings ->> 'backfill', 'last') end;
  wanted.backfill_within_ms := coalesce((settings #>> '{backfill,withinMs}')::bigint, 86400000);
  wanted.backfill_most := coalesce((settings #>> '{backfill,most}')::integer, 100);
  wanted.overlap := coalesce(settings ->> 'overlap', 'allow');
  wanted.template := coalesce(settings -> 'options', '{}') || jsonb_build_object('kind', settings -> 'kind')
    || case of_project when 'default' then '{}' else jsonb_build_object('project', of_project) end;
  wanted.payload := coalesce(payload, '{}');
  perform lineshaft.check_schedule_template(wanted.template, wanted.payload);

  loop
    insert into lineshaft.schedule as s (
      project_id, name, cron, time_zone, every_ms, starts_at, ends_at, jitter_ms, backfill, backfill_within_ms,
      backfill_most, overlap, template, payload, anchor, plan_from, next_due
    )
    values (
      owner, of_name, wanted.cron, wanted.time_zone, wanted.every_ms, wanted.starts_at, wanted.ends_at,
      wanted.jitter_ms, wanted.backfill, wanted.backfill_within_ms, wanted.backfill_most, wanted.overlap,
      wanted.template, wanted.payload, present, present, present
    )
    on conflict (project_id, name) do nothing
    returning s.id into id;
    if found then
      result := 'new';
      perform pg_notify('lineshaft', 's');
      return;
    end if;
    select s.* into kept from lineshaft.schedule s where s.project_id = owner and s.name = of_name for update;
    -- It may be deleted at this moment: then it is new after all.
    exit when found;
  end loop;
  id := kept.id;
  result := 'kept';
  same_rule := (kept.cron, kept.time_zone, kept.every_ms, kept.starts_at)
    is not distinct from (wanted.cron, wanted.time_zone, wanted.every_ms, wanted.starts_at);
  if same_rule
    and (kept.ends_at, kept.jitter_ms, kept.backfill, kept.backfill_within_ms, kept.backfill_most, kept.overlap,
      kept.template, kept.payload::text)
    is not distinct from (wanted.ends_at, wanted.jitter_ms, wanted.backfill, wanted.backfill_within_ms,
      wanted.backfill_most, wanted.overlap, wanted.template, wanted.payload::text)
  then
    return;
  end if;
  result := 'changed';
  update lineshaft.schedule s
  set cron = wanted.cron, time_zone = wanted.time_zone, every_ms = wanted.every_ms, starts_at = wanted.starts_at,
    ends_at = wanted.ends_at, jitter_ms = wanted.jitter_ms, backfill = wanted.backfill,
    backfill_within_ms = wanted.backfill_within_ms, backfill_most = wanted.backfill_most, overlap = wanted.overlap,
    template = wanted.template, payload = wanted.payload, revision = s.revision + 1, updated_at = present,
    trouble = null,
    anchor = case when same_rule then s.anchor else present end,
    plan_from = case when same_rule then s.plan_from else present end,
    next_tick = case when same_rule and (s.ends_at, s.jitter_ms) is not distinct from (wanted.ends_at, wanted.jitter_ms)
      then s.next_tick end,
    next_due = case
      when s.state = 'paused' then null
      when same_rule and (s.ends_at, s.jitter_ms) is not distinct from (wanted.ends_at, wanted.jitter_ms) then s.next_due
      else present end,
    waiting = case when wanted.overlap = 'queue' then s.waiting else '{}' end
  where s.id = kept.id;
  perform pg_notify('lineshaft', 's');
end
$$;

-- A paused schedule makes no jobs, and what would have come due meanwhile is not made up for. What runs goes on.
create function lineshaft.pause_schedule(of_name text, reason text default null, of_project text default 'default')
returns bigint language plpgsql as $$
declare
  paused lineshaft.schedule := lineshaft.schedule_of(of_name, of_project);
begin
  if length(reason) > 500 then
    perform lineshaft.refuse('reason', to_jsonb(reason), 'a text of at most 500 characters');
  end if;
  update lineshaft.schedule s
  set state = 'paused', pause_reason = reason, paused_at = coalesce(s.paused_at, clock_timestamp()), next_tick = null,
    next_due = null, waiting = '{}', revision = s.revision + 1, updated_at = clock_timestamp()
  where s.id = paused.id;
  return paused.id;
end
$$;

-- Goes on from now.
create function lineshaft.resume_schedule(of_name text, of_project text default 'default')
returns bigint language plpgsql as $$
declare
  resumed lineshaft.schedule := lineshaft.schedule_of(of_name, of_project);
  present timestamptz := date_trunc('milliseconds', clock_timestamp());
begin
  update lineshaft.schedule s
  set state = 'active', pause_reason = null, paused_at = null, plan_from = present, next_tick = null, next_due = present,
    revision = s.revision + 1, updated_at = present
  where s.id = resumed.id and s.state = 'paused';
  perform pg_notify('lineshaft', 's');
  return resumed.id;
end
$$;

create function lineshaft.delete_schedule(of_name text, of_project text default 'default')
returns bigint language plpgsql as $$
declare
  gone lineshaft.schedule := lineshaft.schedule_of(of_name, of_project);
begin
  delete from lineshaft.schedule s where s.id = gone.id;
  return gone.id;
end
$$;

-- Enqueues a job of the schedule now, whatever its clock, its state and its overlap policy say. Returns the job's id.
create function lineshaft.run_schedule(of_name text, of_project text default 'default')
returns uuid language plpgsql as $$
declare
  run lineshaft.schedule := lineshaft.schedule_of(of_name, of_project);
  tick timestamptz := date_trunc('milliseconds', clock_timestamp());
  job uuid;
begin
  job := (lineshaft.enqueue_ticks(
    array[run.template], array[run.payload::text], array[lineshaft.schedule_mark(run.name, tick, false, true)]))[1];
  update lineshaft.schedule s
  set last_job_id = job, last_run_tick = tick, last_run_at = tick, runs = s.runs + 1, trouble = null
  where s.id = run.id;
  return job;
end
$$;

-- What a job says of the tick that it is of.
create function lineshaft.schedule_mark(of_name text, tick timestamptz, was_missed boolean, asked boolean)
returns jsonb language sql stable as $$
  select jsonb_build_object(
    'name', of_name, 'tick', to_char(tick at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
    || case when was_missed then '{"missed": true}'::jsonb else '{}' end
    || case when asked then '{"asked": true}'::jsonb else '{}' end
$$;

-- Enqueues a job for each tick, by the way of all jobs, and writes into each of which schedule and tick it is: as the
-- label and the meta `schedule`. Equal templates are put together first, so the marks cannot be part of them.
-- Neighbours with equal templates should stand side by side. Returns the ids of the jobs, in order.
create function lineshaft.enqueue_ticks(templates jsonb[], payloads text[], marks jsonb[])
returns uuid[] language plpgsql as $$
declare
  ids uuid[] := array(select lineshaft.uuid_v7() from generate_subscripts(templates, 1));
  jobs uuid[] := ids;
  distinct_templates jsonb[] := '{}';
  template_of integer[] := '{}';
  template jsonb;
  last_template jsonb;
  place integer := 0;
  keys text[];
  other record;
begin
  -- Not by subscripts: finding the nth of a long array of texts walks past all before it.
  foreach template in array templates loop
    if template is distinct from last_template then
      distinct_templates := distinct_templates || template;
      last_template := template;
      place := place + 1;
    end if;
    template_of := template_of || place;
  end loop;
  if exists (select from unnest(distinct_templates) t where t ? 'unique') then
    keys := array(select t.of #>> '{unique,key}' from unnest(templates) with ordinality as t (of, n) order by t.n);
  end if;
  for other in
    select e.number, e.id, e.result
    from lineshaft.enqueue_many(
      to_jsonb(distinct_templates), case when cardinality(distinct_templates) > 1 then template_of end, ids,
      ('[' || array_to_string(payloads, ',') || ']')::json, keys, false, 'always') e
  loop
    jobs[other.number] := other.id;
    -- A job that was there and stays is nobody's tick; one that was replaced is.
    ids[other.number] := case other.result when 'replaced' then other.id end;
  end loop;
  update lineshaft.job j
  set options = coalesce(j.options, '{}') || jsonb_build_object(
    'labels', coalesce(j.options -> 'labels', '{}') || jsonb_build_object('schedule', m.mark ->> 'name'),
    'meta', coalesce(j.options -> 'meta', '{}') || jsonb_build_object('schedule', m.mark))
  from unnest(ids, marks) as m (id, mark)
  -- Looked up one by one, here and below, whatever the planner takes the table for.
  cross join lateral (select t.ctid from lineshaft.job t where t.id = m.id limit 1) place
  where j.ctid = place.ctid;
  return jobs;
end
$$;

-- Whether the job is not final yet: it waits or runs.
create function lineshaft.is_live(of_job uuid)
returns boolean language sql stable as $$
  select exists (select from lineshaft.job j where j.id = of_job)
    and not exists (select from lineshaft.dead d where d.job_id = of_job)
$$;

-- Applies plans (domain/plan-schedule.ts): enqueues the jobs of the ticks that overlap policies let through, and sets
-- the clocks, in one transaction. A plan is {id, revision, ticks: [[ms, missed]], next, due, missed, trouble}, times in
-- milliseconds. A plan is dropped if the schedule has changed since it was made, by whomever: so a tick has one job,
-- also when several do this at once. `of_term`: of the leader, see demand_term. Returns how many plans were applied,
-- how many jobs enqueued and how many runs are to start.
-- Locks: the leader's row for share, then the schedules in the order of their ids (skip locked).
create function lineshaft.run_schedules(
  plans jsonb, of_term bigint, out applied integer, out enqueued integer, out started integer
)
language plpgsql
-- Plans that were made while there were few schedules would join thousands the wrong way round.
set plan_cache_mode = force_custom_plan as $$
declare
  plan record;
  templates jsonb[] := '{}';
  payloads text[] := '{}';
  marks jsonb[] := '{}';
  ids bigint[] := '{}';
  waitings text[] := '{}';
  counts integer[] := '{}';
  last_of integer[] := '{}';
  run_ticks timestamptz[] := '{}';
  skips integer[] := '{}';
  next_ticks timestamptz[] := '{}';
  next_dues timestamptz[] := '{}';
  last_ticks timestamptz[] := '{}';
  misses integer[] := '{}';
  troubles text[] := '{}';
  jobs uuid[];
  run_rules bigint[] := '{}';
  run_starts timestamptz[] := '{}';
  ticks jsonb;
  still_waiting timestamptz[];
  chosen jsonb;
  skips_now integer;
  live boolean;
begin
  started := 0;
  perform lineshaft.demand_term('main', of_term);
  -- A unique key may be held by somebody's open transaction: the other schedules shall not wait for long.
  perform set_config('lock_timeout', '500ms', true);
  for plan in
    with made as materialized (
      select p.*
      from jsonb_to_recordset(plans) as p (
        id bigint, revision integer, ticks jsonb, next double precision, due double precision, missed integer, trouble text)
    ),
    held as materialized (
      select s.id, s.name, s.overlap, s.waiting, s.last_job_id, s.template, s.payload::text as payload, m.ticks, m.next, m.due,
        m.missed, m.trouble, s.workflow_schedule
      from made m join lineshaft.schedule s on s.id = m.id and s.revision = m.revision and s.state = 'active'
      order by s.id
      for update of s skip locked
    )
    select h.* from held h order by h.template, h.id
  loop
    ticks := plan.ticks;
    still_waiting := '{}';
    skips_now := 0;
    live := plan.overlap <> 'allow' and plan.last_job_id is not null and lineshaft.is_live(plan.last_job_id);
    if plan.trouble is not null then
      chosen := '[]';
    elsif plan.overlap = 'queue' then
      ticks := coalesce((select jsonb_agg(jsonb_build_array(extract(epoch from w.at) * 1000, false) order by w.n)
        from unnest(plan.waiting) with ordinality as w (at, n)), '[]') || ticks;
      chosen := case when live or ticks = '[]' then '[]'::jsonb else jsonb_build_array(ticks -> 0) end;
      still_waiting := array(
        select to_timestamp((t.tick ->> 0)::double precision / 1000)
        from jsonb_array_elements(ticks) with ordinality as t (tick, n)
        where t.n > jsonb_array_length(chosen) order by t.n limit 100);
      skips_now := jsonb_array_length(ticks) - jsonb_array_length(chosen) - cardinality(still_waiting);
    elsif plan.overlap = 'allow' or ticks = '[]' then
      chosen := ticks;
    elsif plan.overlap = 'skip' and live then
      chosen := '[]';
      skips_now := jsonb_array_length(ticks);
    else
      -- The newest stands for those before it, which it would have skipped or replaced.
      chosen := jsonb_build_array(ticks -> -1);
      skips_now := jsonb_array_length(ticks) - 1;
      if live then
        perform lineshaft.cancel(array[plan.last_job_id], format('replaced by a later tick of schedule %s', plan.name));
      end if;
    end if;
    if plan.workflow_schedule is not null then
      -- Such ticks start runs, which is done when this is committed: see 0017.
      for place in 0 .. jsonb_array_length(chosen) - 1 loop
        run_rules := run_rules || plan.id;
        run_starts := run_starts || to_timestamp((chosen -> place ->> 0)::double precision / 1000);
      end loop;
      started := started + jsonb_array_length(chosen);
    else
      for place in 0 .. jsonb_array_length(chosen) - 1 loop
        templates := templates || plan.template;
        payloads := payloads || plan.payload;
        marks := marks || lineshaft.schedule_mark(plan.name,
          to_timestamp((chosen -> place ->> 0)::double precision / 1000), (chosen -> place ->> 1)::boolean, false);
      end loop;
    end if;
    ids := ids || plan.id;
    next_ticks := next_ticks || to_timestamp(plan.next / 1000);
    next_dues := next_dues || to_timestamp(plan.due / 1000);
    last_ticks := last_ticks || to_timestamp((plan.ticks -> -1 ->> 0)::double precision / 1000);
    misses := misses || plan.missed;
    troubles := troubles || plan.trouble;
    waitings := waitings || still_waiting::text;
    counts := counts || jsonb_array_length(chosen);
    skips := skips || skips_now;
    last_of := last_of || case when chosen <> '[]' and plan.workflow_schedule is null then cardinality(templates) end;
    run_ticks := run_ticks || case when chosen <> '[]'
      then to_timestamp((chosen -> -1 ->> 0)::double precision / 1000) end;
  end loop;
  applied := cardinality(ids);
  enqueued := cardinality(templates);
  if started > 0 then
    perform lineshaft.note_scheduled_runs(run_rules, run_starts);
  end if;
  if enqueued > 0 then
    jobs := lineshaft.enqueue_ticks(templates, payloads, marks);
  end if;
  update lineshaft.schedule s
  set next_tick = h.next_tick, next_due = h.next_due, revision = s.revision + 1,
    last_tick = coalesce(h.last_tick, s.last_tick), waiting = h.waiting::timestamptz[],
    last_job_id = coalesce(jobs[h.last_of], s.last_job_id), last_run_tick = coalesce(h.tick, s.last_run_tick),
    last_run_at = case when h.tick is null then s.last_run_at else clock_timestamp() end,
    runs = s.runs + h.run, skipped = s.skipped + h.skipped, missed = s.missed + h.missed,
    trouble = case when h.trouble is not null then h.trouble when h.tick is not null then null else s.trouble end
  from unnest(ids, last_of, run_ticks, skips, counts, waitings, next_ticks, next_dues, last_ticks, misses, troubles)
    as h (id, last_of, tick, skipped, run, waiting, next_tick, next_due, last_tick, missed, trouble)
  cross join lateral (select t.ctid from lineshaft.schedule t where t.id = h.id limit 1) place
  where s.ctid = place.ctid;
end
$$;
