-- Enqueueing: the rules (defaults, sizes, uniqueness, waking) live here, for callers in any language.
-- Lock cost: functions, and one check on the small table of queues.

-- The lane of (queue, kind, requirements, pinned build, wants), made if it is new. Where somebody else makes it at this
-- moment, waits a little for his commit, and no longer: a stranger's transaction may stay open. Two lanes of the same
-- content are as good as one, since claims merge the lanes of a queue.
create function lineshaft.lane_of(
  of_queue bigint, of_kind text, of_requirements text[], of_pin text, of_build text, of_wants jsonb default '{}'
)
returns integer language plpgsql as $$
declare
  found_id integer;
  sorted text[] := array(select distinct t from unnest(of_requirements) t order by t);
  mine boolean := false;
begin
  for look in 1..20 loop
    select l.id into found_id from lineshaft.lane l
    where l.queue_id = of_queue and l.kind = of_kind and l.requirements = sorted
      and l.pin = of_pin and l.build = of_build and l.wants = of_wants and l.id > 0
    order by l.id
    limit 1;
    if found then
      return found_id;
    end if;
    -- The lock may have become free by a commit: one more look when it is ours.
    exit when mine;
    mine := pg_try_advisory_xact_lock(
      hashtextextended(concat_ws(' ', 'lineshaft.lane', of_kind, sorted, of_pin, of_build, of_wants), of_queue));
    if not mine then
      perform pg_sleep(0.005);
    end if;
  end loop;
  insert into lineshaft.lane (queue_id, kind, requirements, pin, build, wants, attached)
  values (of_queue, of_kind, sorted, of_pin, of_build, of_wants, lineshaft.limits_on(of_queue, of_kind))
  returning id into found_id;
  -- Workers know lanes by number; a new one is news to them.
  perform pg_notify('lineshaft', 'n');
  return found_id;
end
$$;

-- Whether two lanes have the same content.
create function lineshaft.lanes_alike(one integer, other integer)
returns boolean language sql stable as $$
  select one = other or exists (
    select from lineshaft.lane a
    join lineshaft.lane b on b.queue_id = a.queue_id and b.kind = a.kind and b.requirements = a.requirements
      and b.pin = a.pin and b.build = a.build and b.wants = a.wants
    where a.id = one and b.id = other
  )
$$;

-- The run time that a template asks for; null where it asks for none.
create function lineshaft.due_of(template jsonb)
returns timestamptz language plpgsql stable as $$
begin
  if template ? 'delayMs' then
    return clock_timestamp() + (template ->> 'delayMs')::double precision * interval '1 millisecond';
  end if;
  if not template ? 'runAt' then
    return null;
  end if;
  begin
    return (template ->> 'runAt')::timestamptz;
  exception when others then
    perform lineshaft.refuse('runAt', template -> 'runAt', 'a time with a zone', 'like "2030-01-31T08:00:00Z"');
  end;
end
$$;

-- Refuses the value of a field.
create function lineshaft.refuse(field text, value jsonb, expected text, hint text default null)
returns void language plpgsql immutable as $$
begin
  perform lineshaft.fail('LS400', 'OPTION_INVALID',
    format('%s must be %s, not %s', field, expected, left(coalesce(value::text, 'nothing'), 60)),
    coalesce(hint, 'correct the option, or leave it out'), jsonb_build_object('field', field));
end
$$;

-- Refuses names of options that do not exist and values that are out of range.
create function lineshaft.check_template(template jsonb)
returns void language plpgsql stable as $$
declare
  unknown text;
begin
  select k into unknown from jsonb_object_keys(template) k
  where k not in ('kind', 'queue', 'project', 'priority', 'runAt', 'delayMs', 'maxAttempts', 'backoff', 'unique',
    'requirements', 'needs', 'prefers', 'preferMs', 'limits', 'under', 'labels', 'meta', 'retention', 'version', 'pin', 'build', 'id')
  limit 1;
  if unknown is not null then
    perform lineshaft.fail('LS400', 'OPTION_UNKNOWN', format('there is no option %L', unknown),
      'options: queue, project, priority, runAt, delayMs, maxAttempts, backoff, unique, requirements, needs, prefers, preferMs, '
      || 'limits, under, labels, meta, retention, id', jsonb_build_object('field', unknown));
  end if;
  if coalesce(template ->> 'kind', '') !~ '^[A-Za-z0-9_][A-Za-z0-9_.:/@-]{0,199}$' then
    perform lineshaft.fail('LS400', 'OPTION_INVALID',
      format('kind must be 1 to 200 letters, digits or _ . : / @ -, not %L', template ->> 'kind'),
      'the kind names the handler, like send-email', '{"field": "kind"}');
  end if;
  if template ? 'runAt' and template ? 'delayMs' then
    perform lineshaft.fail('LS400', 'OPTION_INVALID', 'runAt and delayMs cannot be given together', 'leave one of them out',
      '{"field": "delayMs"}');
  end if;
  perform lineshaft.check_number(template, 'priority', -32768, 32767);
  perform lineshaft.check_number(template, 'maxAttempts', 1, 1000);
  perform lineshaft.check_number(template, 'delayMs', 0, 315360000000);
  perform lineshaft.check_number(template, 'version', 1, 32767);
  perform lineshaft.check_number(template, 'preferMs', 0, 3600000);
  perform lineshaft.check_wants(template);
  if jsonb_typeof(coalesce(template -> 'requirements', '[]')) <> 'array' then
    perform lineshaft.fail('LS400', 'OPTION_INVALID', 'requirements must be an array of tags', 'like ["capability=gpu"]',
      '{"field": "requirements"}');
  end if;
  if jsonb_typeof(coalesce(template -> 'labels', '{}')) <> 'object' then
    perform lineshaft.fail('LS400', 'OPTION_INVALID', 'labels must be an object of texts', 'like {"tenant": "acme"}',
      '{"field": "labels"}');
  end if;
  if template ? 'unique' and (
    jsonb_typeof(template -> 'unique') <> 'object'
    or coalesce(template #>> '{unique,onConflict}', 'keep') not in ('keep', 'replace', 'debounce', 'throttle')
    or jsonb_typeof(coalesce(template #> '{unique,states}', '[]')) <> 'array'
    or exists (
      select from jsonb_array_elements_text(coalesce(template #> '{unique,states}', '[]')) s
      where s not in ('waiting', 'running', 'succeeded', 'failed', 'cancelled')
    )
  ) then
    perform lineshaft.fail('LS400', 'OPTION_INVALID',
      'unique must be {"key", "states": [waiting, running, succeeded, failed, cancelled], "keepMs", '
      || '"onConflict": keep, replace, debounce or throttle}',
      'correct the option, or leave it out', '{"field": "unique"}');
  end if;
  if template ? 'unique' and template #> '{unique,key}' is not null
    and length(template #>> '{unique,key}') not between 1 and 500 then
    perform lineshaft.fail('LS400', 'OPTION_INVALID', 'unique.key must have 1 to 500 characters', 'shorten it, or hash it',
      '{"field": "unique.key"}');
  end if;
end
$$;

create function lineshaft.check_number(template jsonb, field text, low numeric, high numeric)
returns void language plpgsql immutable as $$
begin
  if template ? field and (
    jsonb_typeof(template -> field) <> 'number'
    or (template ->> field)::numeric not between low and high
    or (template ->> field)::numeric <> trunc((template ->> field)::numeric)
  ) then
    perform lineshaft.fail('LS400', 'OPTION_INVALID',
      format('%s must be a whole number from %s to %s, not %s', field, low, high, template -> field),
      'correct the option, or leave it out', jsonb_build_object('field', field));
  end if;
end
$$;

-- An amount: a number, or a quantity as Kubernetes writes it (500m, 3k, 16Gi, 1e3), from 0 to 8Ti and exact to a
-- thousandth; null where it is none. As `parseAmount` in TypeScript.
create function lineshaft.amount_of(value jsonb)
returns numeric language plpgsql immutable as $$
declare
  parts text[] := regexp_match(btrim(value #>> '{}'),
    '^\+?(\d{0,30}(?:\.\d{0,30})?)(?:(n|u|m|k|[MGTPE]|[KMGTPE]i)|[eE]([+-]?\d{1,2}))?$');
  amount numeric;
begin
  if jsonb_typeof(value) not in ('number', 'string') or parts is null or coalesce(parts[1], '') !~ '\d' then
    return null;
  end if;
  amount := (case when right(parts[1], 1) = '.' then parts[1] || '0' else parts[1] end)::numeric * case
    when parts[3] is not null then 10::numeric ^ parts[3]::integer
    when parts[2] is null then 1
    when parts[2] like '_i' then 1024::numeric ^ position(left(parts[2], 1) in 'KMGTPE')
    when parts[2] in ('n', 'u', 'm') then 1000::numeric ^ (- position(parts[2] in 'mun'))
    else 1000::numeric ^ position(parts[2] in 'kMGTPE')
  end;
  if amount <> round(amount, 3) or amount > 8796093022208 then
    return null;
  end if;
  return trim_scale(round(amount, 3));
end
$$;

-- Refuses needs, prefers and preferMs that are not what they should be.
create function lineshaft.check_wants(template jsonb)
returns void language plpgsql immutable as $$
declare
  name text;
  entry jsonb;
begin
  if jsonb_typeof(coalesce(template -> 'needs', '{}')) <> 'object' then
    perform lineshaft.refuse('needs', template -> 'needs', 'an object of amounts', 'like {"gpu": 1, "memory": "4Gi"}');
  end if;
  for name, entry in select n.key, n.value from jsonb_each(coalesce(template -> 'needs', '{}')) n loop
    if name !~ '^[A-Za-z][A-Za-z0-9_.:/-]{0,62}$' then
      perform lineshaft.refuse('a name in needs', to_jsonb(name),
        '1 to 63 letters, digits or _ . : / - and start with a letter');
    end if;
    if lineshaft.amount_of(entry) is null then
      perform lineshaft.refuse('needs.' || name, entry, 'an amount from 0 to 8Ti, exact to a thousandth',
        'such as 2, 0.5, "500m" or "16Gi"');
    end if;
  end loop;
  if (select count(*) from jsonb_object_keys(coalesce(template -> 'needs', '{}'))) > 20 then
    perform lineshaft.refuse('needs', null, 'at most 20 amounts');
  end if;
  if jsonb_typeof(coalesce(template -> 'prefers', '[]')) <> 'array'
    or jsonb_array_length(coalesce(template -> 'prefers', '[]')) > 20 then
    perform lineshaft.refuse('prefers', template -> 'prefers', 'an array of at most 20 tags', 'like ["capability=ssd"]');
  end if;
  for entry in select p from jsonb_array_elements(coalesce(template -> 'prefers', '[]')) p loop
    if jsonb_typeof(entry) <> 'string' or length(entry #>> '{}') not between 1 and 255 then
      perform lineshaft.refuse('prefers', entry, 'tags of 1 to 255 characters', 'like "capability=ssd"');
    end if;
  end loop;
  if template ? 'preferMs' and jsonb_array_length(coalesce(template -> 'prefers', '[]')) = 0 then
    perform lineshaft.refuse('preferMs', template -> 'preferMs', 'left out, or prefers be given');
  end if;
end
$$;

-- What a template says of amounts and preferred workers, in the one form that lanes compare.
create function lineshaft.wants_of(template jsonb)
returns jsonb language sql immutable as $$
  select case when not template ?| array['needs', 'prefers'] then '{}' else
    case when template ? 'needs' then jsonb_build_object('needs', (
      select coalesce(jsonb_object_agg(n.key, lineshaft.amount_of(n.value)), '{}')
      from jsonb_each(template -> 'needs') n
      where lineshaft.amount_of(n.value) > 0
    )) else '{}' end
    || case when jsonb_array_length(coalesce(template -> 'prefers', '[]')) > 0 then jsonb_build_object(
      'prefers', (select jsonb_agg(distinct p order by p) from jsonb_array_elements_text(template -> 'prefers') p),
      'preferMs', coalesce(template -> 'preferMs', '5000')
    ) else '{}' end
  end
$$;

-- The queue that a template names; refuses one that does not exist.
create function lineshaft.queue_of(template jsonb)
returns lineshaft.queue language plpgsql stable as $$
declare
  found_queue lineshaft.queue;
  of_project bigint;
begin
  select p.id into of_project from lineshaft.project p where p.name = coalesce(template ->> 'project', 'default');
  if not found then
    perform lineshaft.fail('LS404', 'PROJECT_NOT_FOUND', format('project %L not found', template ->> 'project'),
      'create it: lineshaft project create NAME', jsonb_build_object('project', template ->> 'project'));
  end if;
  select q.* into found_queue from lineshaft.queue q
  where q.project_id = of_project and q.name = coalesce(template ->> 'queue', 'default');
  if not found then
    perform lineshaft.fail('LS404', 'QUEUE_NOT_FOUND', format('queue %L not found', template ->> 'queue'),
      'declare it: lineshaft queue declare NAME',
      jsonb_build_object('queue', template ->> 'queue', 'project', coalesce(template ->> 'project', 'default')));
  end if;
  return found_queue;
end
$$;

-- What of a template is kept with the job: only what differs from the defaults of its queue and kind.
create function lineshaft.options_of(template jsonb)
returns jsonb language sql immutable as $$
  select nullif(
    template - array['kind', 'queue', 'project', 'priority', 'runAt', 'delayMs', 'requirements', 'needs', 'prefers',
      'preferMs', 'version', 'pin', 'build', 'id'],
    '{}'::jsonb
  )
$$;

create function lineshaft.state_bits(states jsonb)
returns smallint language sql immutable as $$
  select coalesce(bit_or(case s
      when 'running' then 2 when 'succeeded' then 4 when 'failed' then 8 when 'cancelled' then 16 else 0 end), 2)::smallint
    | 1::smallint
  from jsonb_array_elements_text(case when jsonb_typeof(states) = 'array' then states else '["running"]' end) s
$$;

-- The tenth of a second, as a number; without numeric arithmetic, since it is made for each call of enqueue.
create function lineshaft.wake_slot()
returns integer language sql volatile as $$
  select (
    (date_part('epoch', clock_timestamp())::bigint * 10 + date_part('milliseconds', clock_timestamp())::integer % 1000 / 100)
    % 2000000000
  )::integer
$$;

-- Tells workers that queues have jobs, and promoters (`later`) that something new is to come due.
-- `always` notifies at once: one NOTIFY per call, in this transaction. `auto` is for the transactions of
-- others: NOTIFY takes a lock that serialises the commits of the whole database, so of the transactions that enqueue
-- in the same tenth of a second only one at a time carries it per queue; the others rely on that one and on the
-- second looks that a worker takes after each such wake. A transaction that stays open holds up the wakes of
-- its own tenth of a second only. `room` notifies at once too, of jobs under limits that may go on. `after` is for callers
-- that wake by themselves after the commit. A queue that says `always` gets its NOTIFY in the transaction in either case.
create function lineshaft.wake(queues bigint[], later boolean, mode text)
returns void language plpgsql as $$
declare
  of_queue bigint;
  setting text;
  woken text := '';
  slot integer := lineshaft.wake_slot();
begin
  if mode = 'never' then
    return;
  end if;
  foreach of_queue in array queues loop
    continue when position(',' || of_queue || ',' in woken || ',') > 0;
    select q.wake into setting from lineshaft.queue q where q.id = of_queue;
    continue when setting = 'never' or not found;
    if mode in ('always', 'room') or setting = 'always'
      or (mode = 'auto' and pg_try_advisory_xact_lock(slot, (of_queue % 2000000000)::integer)) then
      woken := woken || ',' || of_queue;
    end if;
  end loop;
  if woken <> '' then
    perform pg_notify('lineshaft',
      left(case mode when 'always' then 'r' when 'room' then 'u' else 'a' end || substr(woken, 2), 7000));
  end if;
  if later and (mode = 'always' or (mode = 'auto' and pg_try_advisory_xact_lock(slot, 0))) then
    perform pg_notify('lineshaft', 'l');
  end if;
end
$$;

-- Until the end of this transaction nobody deletes the queue: a job that goes in is seen by who wants to. Not by
-- locking its row, which callers side by side would have to write to. False: it was deleted at this moment (which the
-- snapshot of the calling statement may not know; that of this function does).
create function lineshaft.hold_queue(of_queue bigint)
returns boolean language plpgsql as $$
begin
  perform pg_advisory_xact_lock_shared(-7, (of_queue % 2000000000)::integer);
  return exists (select from lineshaft.queue q where q.id = of_queue);
end
$$;

-- Takes in at most so many jobs that callers' transactions have left in the inbox (those of queues that were deleted
-- with their jobs meanwhile are dropped): they get their lanes and their place
-- among those that are ready, by the time of their enqueue, and workers hear of them. One call at a time, so that they
-- come in order; it must not be made in a transaction that may stay open. Returns how many came.
create function lineshaft.take_in(most integer)
returns integer language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  arrival record;
  queues bigint[] := '{}';
  taken integer := 0;
begin
  if not exists (select from lineshaft.inbox i order by i.at, i.seq limit 1) then
    return 0;
  end if;
  perform pg_advisory_xact_lock(-8, 0);
  for arrival in
    with arrived as (
      delete from lineshaft.inbox
      where ctid = any (array(select i.ctid from lineshaft.inbox i order by i.at, i.seq limit most))
      returning at, seq, id, queue_id, kind, payload
    )
    select a.queue_id, a.kind, count(*)::integer as jobs,
      array_agg(a.at order by a.at, a.seq) as times, array_agg(a.seq order by a.at, a.seq) as places,
      array_agg(a.id order by a.at, a.seq) as ids, array_agg(a.payload order by a.at, a.seq) as payloads
    from arrived a
    group by a.queue_id, a.kind
  loop
    taken := taken + arrival.jobs;
    continue when not exists (select from lineshaft.queue q where q.id = arrival.queue_id);
    queues := queues || arrival.queue_id;
    if lineshaft.take_in_keyed(arrival.queue_id, arrival.kind, arrival.times, arrival.ids, arrival.payloads) then
      continue;
    end if;
    with fresh as (
      insert into lineshaft.job (id, seq, due, created_at, lane, priority, payload)
      select j.id, j.seq, j.at, j.at, w.lane, w.priority, j.payload
      from (
        select lineshaft.lane_of(q.id, arrival.kind, '{}', 'none', '') as lane, q.priority
        from lineshaft.queue q where q.id = arrival.queue_id
      ) w
      cross join lateral unnest(arrival.times, arrival.places, arrival.ids, arrival.payloads) as j (at, seq, id, payload)
      returning due, seq, lane, priority, id
    )
    insert into lineshaft.ready (due, seq, lane, priority, job_id)
    select f.due, f.seq, f.lane, f.priority, f.id from fresh f;
  end loop;
  perform lineshaft.wake(queues, false, 'always');
  return taken;
end
$$;

-- Enqueues many jobs. `payloads` is a JSON array; job n has ids[n], payloads[n - 1], and the options of
-- templates[template_of[n]] (null: all have the first). `unique_keys` (null: none) has a key per job.
-- `resend`: the ids may have been sent before. `wake_mode`: always, auto, after or never. `since`: the time that stands for
-- now (null: the clock), so that the batches of one call, written side by side, keep the order of the call.
-- Returns a row for each job that is not new: its number, the id of the job that stands for it, and the result.
create function lineshaft.enqueue_many(
  templates jsonb, template_of integer[], ids uuid[], payloads json, unique_keys text[], resend boolean, wake_mode text,
  since timestamptz default null
)
returns table (number integer, id uuid, result text) language plpgsql
-- A plan for each call, made for its very arrays, would cost more than running it.
set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
#variable_conflict use_column
declare
  template jsonb;
  of_queue lineshaft.queue;
  known record;
  lanes integer[] := '{}';
  ready_queues bigint[] := '{}';
  projects bigint[] := '{}';
  priorities smallint[] := '{}';
  dues timestamptz[] := '{}';
  versions smallint[] := '{}';
  kept jsonb[] := '{}';
  present timestamptz := coalesce(since, clock_timestamp());
  run_at timestamptz;
  any_later boolean := false;
  any_keyed boolean := false;
  job_lanes integer[];
  job_costs text[];
  fifo boolean[];
begin
  if wake_mode = 'always' then
    -- What came before, in the transactions of others, goes before. In a transaction of somebody else's this would be
    -- in the way of all others.
    perform lineshaft.take_in(100000);
  end if;
  for place in 0 .. jsonb_array_length(templates) - 1 loop
    template := templates -> place;
    -- The common case, a kind and a queue that were met before, in one look-up.
    select q.id as queue_id, q.project_id, q.priority, l.id as lane into known
    from lineshaft.project p
    join lineshaft.queue q on q.project_id = p.id and q.name = coalesce(template ->> 'queue', 'default')
    join lineshaft.lane l on l.queue_id = q.id and l.kind = template ->> 'kind'
      and l.requirements = '{}' and l.pin = 'none' and l.build = '' and l.wants = '{}'
      and l.id > 0 and l.attached is null
    where p.name = 'default' and template - '{kind,queue}'::text[] = '{}';
    if found and lineshaft.hold_queue(known.queue_id) then
      lanes := lanes || known.lane;
      ready_queues := ready_queues || known.queue_id;
      projects := projects || known.project_id;
      priorities := priorities || known.priority;
      dues := dues || present;
      versions := versions || 1::smallint;
      kept := kept || 'null'::jsonb;
      continue;
    end if;
    perform lineshaft.check_template(template);
    of_queue := lineshaft.queue_of(template);
    if not lineshaft.hold_queue(of_queue.id) then
      perform lineshaft.fail('LS404', 'QUEUE_NOT_FOUND', format('queue %L was deleted at this moment', of_queue.name),
        'declare it again', jsonb_build_object('queue', of_queue.name));
    end if;
    lanes := lanes || lineshaft.lane_of(of_queue.id, template ->> 'kind',
      array(select jsonb_array_elements_text(coalesce(template -> 'requirements', '[]'))),
      coalesce(template ->> 'pin', 'none'), coalesce(template ->> 'build', ''), lineshaft.wants_of(template));
    any_keyed := any_keyed or template ? 'under'
      or exists (select from lineshaft.lane l where l.id = lanes[place + 1] and l.attached is not null);
    projects := projects || of_queue.project_id;
    priorities := priorities || coalesce((template ->> 'priority')::smallint, of_queue.priority);
    run_at := lineshaft.due_of(template);
    if run_at > present then
      any_later := true;
    else
      ready_queues := ready_queues || of_queue.id;
    end if;
    dues := dues || greatest(run_at, present);
    versions := versions || coalesce((template ->> 'version')::smallint, 1::smallint);
    kept := kept || coalesce(lineshaft.options_of(template), 'null'::jsonb);
  end loop;

  -- The setting is at least 1,000; most calls need not look it up.
  if octet_length(payloads::text) > 1000 then
    perform lineshaft.check_sizes(payloads);
  end if;

  if any_keyed then
    select k.job_lanes, k.job_costs, k.fifo into job_lanes, job_costs, fifo
    from lineshaft.keyed_lanes(
      templates, template_of, lanes, case when of_queue.steps then lineshaft.with_inputs(ids, payloads) else payloads end
    ) k;
    -- What runs strictly one after the other has one priority.
    priorities := array(
      select case when coalesce(fifo[p.n], false) then 0::smallint else p.priority end
      from unnest(priorities) with ordinality as p (priority, n)
    );
  end if;

  if unique_keys is null and not resend then
    if any_keyed then
      perform lineshaft.place_keyed(template_of, ids, payloads, lanes, job_lanes, job_costs, priorities, dues, versions, kept, present);
    elsif any_later then
      with fresh as (
        insert into lineshaft.job (id, seq, due, created_at, lane, priority, version, payload, options)
        select j.id, nextval('lineshaft.job_seq'), dues[t], present, lanes[t], priorities[t], versions[t], j.payload,
          nullif(kept[t], 'null'::jsonb)
        from rows from (unnest(ids), json_array_elements(payloads)) with ordinality as j (id, payload, n)
        cross join lateral (select coalesce(template_of[j.n], 1)) as x (t)
        returning id, seq, due, lane, priority
      ),
      now_ready as (
        insert into lineshaft.ready (due, seq, lane, priority, job_id)
        select due, seq, lane, priority, id from fresh where due <= present
      )
      insert into lineshaft.later (due, seq, lane, priority, job_id)
      select due, seq, lane, priority, id from fresh where due > present;
    elsif template_of is null then
      with fresh as (
        insert into lineshaft.job (id, seq, due, created_at, lane, priority, version, payload, options)
        select j.id, nextval('lineshaft.job_seq'), dues[1], present, lanes[1], priorities[1], versions[1], j.payload,
          nullif(kept[1], 'null'::jsonb)
        from rows from (unnest(ids), json_array_elements(payloads)) as j (id, payload)
        returning id, seq
      )
      insert into lineshaft.ready (due, seq, lane, priority, job_id)
      select dues[1], seq, lanes[1], priorities[1], id from fresh;
    else
      with fresh as (
        insert into lineshaft.job (id, seq, due, created_at, lane, priority, version, payload, options)
        select j.id, nextval('lineshaft.job_seq'), dues[j.t], present, lanes[j.t], priorities[j.t], versions[j.t],
          j.payload, nullif(kept[j.t], 'null'::jsonb)
        from rows from (unnest(ids), unnest(template_of), json_array_elements(payloads)) as j (id, t, payload)
        returning id, seq, due, lane, priority
      )
      insert into lineshaft.ready (due, seq, lane, priority, job_id)
      select due, seq, lane, priority, id from fresh;
    end if;
  else
    return query select * from lineshaft.enqueue_checked(
      template_of, ids, payloads, unique_keys, resend, templates, lanes, projects, priorities, dues, versions, kept, present,
      job_lanes, job_costs);
  end if;

  perform lineshaft.wake(ready_queues, any_later, wake_mode);
end
$$;

-- Names the first payload that is too large.
create function lineshaft.check_sizes(payloads json)
returns void language plpgsql as $$
declare
  max_bytes integer;
  place bigint;
  size integer;
begin
  select greatest(s.value::integer, 1000) into max_bytes from lineshaft.setting s where s.name = 'payload_max_bytes';
  if octet_length(payloads::text) <= max_bytes then
    return;
  end if;
  select p.n, octet_length(p.payload::text) into place, size
  from json_array_elements(payloads) with ordinality as p (payload, n)
  where octet_length(p.payload::text) > max_bytes
  limit 1;
  if found then
    perform lineshaft.fail('LS413', 'PAYLOAD_TOO_LARGE',
      format('payload of job %s has %s bytes; at most %s are allowed', place, size, max_bytes),
      'store the data elsewhere and send a reference, or raise the setting payload_max_bytes',
      jsonb_build_object('number', place, 'bytes', size));
  end if;
end
$$;

-- The path with checks: ids that were sent before are recognised, and unique keys are taken. Callers that are at work
-- side by side take them in one order (by key, in the same order everywhere; then by id), so that they do not
-- deadlock; the jobs stay in the order of the call.
create function lineshaft.enqueue_checked(
  template_of integer[], ids uuid[], payloads json, unique_keys text[], resend boolean, templates jsonb, lanes integer[],
  projects bigint[], priorities smallint[], dues timestamptz[], versions smallint[], kept jsonb[], present timestamptz,
  job_lanes integer[], job_costs text[]
)
returns table (number integer, id uuid, result text) language plpgsql as $$
#variable_conflict use_column
declare
  wanted record;
  holder uuid;
  outcome text;
begin
  for wanted in
    select j.*, coalesce(job_lanes[j.number], lanes[j.template]) as lane, job_costs[j.number]::integer[] as costs,
      projects[j.template] as project, dues[j.template] as due, nullif(kept[j.template], 'null'::jsonb) as options
    from (
      select j.n::integer as number, j.id, j.payload, j.key, coalesce(template_of[j.n], 1) as template,
        nextval('lineshaft.job_seq') as seq
      from rows from (
        unnest(ids),
        json_array_elements(payloads),
        unnest(coalesce(unique_keys, array_fill(null::text, array[cardinality(ids)])))
      ) with ordinality as j (id, payload, key, n)
    ) j
    order by j.key collate "C" nulls first, project, case when resend then j.id end, j.number
  loop
    outcome := null;
    holder := wanted.id;
    if resend then
      outcome := lineshaft.recognise(wanted.id, wanted.payload, wanted.lane, wanted.key is not null);
    end if;
    if outcome is null and wanted.key is not null then
      select u.holder, u.outcome into holder, outcome
      from lineshaft.take_key(wanted.project, wanted.key, wanted.id, wanted.payload, templates -> (wanted.template - 1),
        wanted.lane, priorities[wanted.template], wanted.due, versions[wanted.template], wanted.options,
        present, wanted.costs) u;
    end if;
    if outcome is null and not lineshaft.place_new(wanted.id, wanted.seq, wanted.payload, wanted.lane,
      priorities[wanted.template], wanted.due, present, versions[wanted.template],
      case when wanted.key is null then wanted.options
      else jsonb_set(wanted.options, '{unique,key}', to_jsonb(wanted.key)) end, resend, wanted.costs)
    then
      -- The same call came by another connection and was first; a key that was free belongs to nobody again.
      outcome := lineshaft.recognise(wanted.id, wanted.payload, wanted.lane, true);
      delete from lineshaft.unique_key u
      where u.project_id = wanted.project and u.key = wanted.key and u.job_id = wanted.id;
    end if;
    if outcome is not null then
      number := wanted.number;
      id := holder;
      result := outcome;
      return next;
    end if;
  end loop;
end
$$;

-- Writes a new job. With `resend` false where the id is there already, or was and has finished: the row that is
-- written first keeps everybody else from the id, so what history says then is the last word.
create function lineshaft.place_new(
  new_id uuid, place bigint, payload json, lane integer, priority smallint, due timestamptz, present timestamptz,
  version smallint, options jsonb, resend boolean, costs integer[]
)
returns boolean language plpgsql as $$
begin
  if not resend then
    insert into lineshaft.job (id, seq, due, created_at, lane, priority, version, payload, options, costs)
    values (new_id, place, due, present, lane, priority, version, payload, options, costs);
  else
    insert into lineshaft.job (id, seq, due, created_at, lane, priority, version, payload, options, costs)
    values (new_id, place, due, present, lane, priority, version, payload, options, costs)
    on conflict (id) do nothing;
    if not found then
      return false;
    end if;
    if exists (select from lineshaft.history h where h.id_span @> new_id and new_id = any (h.ids)) then
      delete from lineshaft.job j where j.id = new_id;
      return false;
    end if;
  end if;
  if due <= present then
    insert into lineshaft.ready (due, seq, lane, priority, job_id) values (due, place, lane, priority, new_id);
    if lane < 0 then
      perform lineshaft.open_lanes(array[lane]);
    end if;
  else
    insert into lineshaft.later (due, seq, lane, priority, job_id) values (due, place, lane, priority, new_id);
  end if;
  return true;
end
$$;

-- Whether this id was enqueued before: `kept` with the same content, an error with another, null if it is new.
-- Looks among the finished jobs too where it is asked to.
create function lineshaft.recognise(sent_id uuid, payload json, of_lane integer, finished_too boolean)
returns text language plpgsql as $$
declare
  same boolean;
begin
  select lineshaft.lanes_alike(j.lane, of_lane) and j.payload::jsonb = recognise.payload::jsonb into same
  from lineshaft.job j where j.id = sent_id;
  if not found and finished_too then
    select lineshaft.entry_matches(split_part(h.entries, e'\n', array_position(h.ids, sent_id)), payload, of_lane)
    into same
    from lineshaft.history h where h.id_span @> sent_id and sent_id = any (h.ids) limit 1;
  end if;
  if same is null then
    return null;
  end if;
  if not same then
    perform lineshaft.fail('LS409', 'JOB_ID_CONFLICT', format('job %s exists with another content', sent_id),
      'use a new id for a new job; an id is sent again only with the same kind, queue and payload',
      jsonb_build_object('id', sent_id));
  end if;
  return 'kept';
end
$$;

-- A line of history: [lane, outcome, attempt, createdMs, startedMs, finishedMs, worker, payload, output, extra].
create function lineshaft.entry_matches(entry text, payload json, of_lane integer)
returns boolean language sql stable as $$
  select lineshaft.lanes_alike((entry::json ->> 0)::integer, of_lane) and (entry::json -> 7)::jsonb = payload::jsonb
$$;

-- Takes a unique key for a new job (outcome null), or settles with the job that holds it. A key that is kept is not
-- locked: a caller's transaction that stays open would hold up the completion of the job that has it. What is
-- replaced is locked, the job first, as everywhere.
create function lineshaft.take_key(
  of_project bigint, of_key text, new_id uuid, new_payload json, template jsonb, new_lane integer, new_priority smallint,
  new_due timestamptz, new_version smallint, new_options jsonb, present timestamptz, new_costs integer[],
  out holder uuid, out outcome text
)
language plpgsql as $$
declare
  mode text := coalesce(template #>> '{unique,onConflict}', 'keep');
  bits smallint := lineshaft.state_bits(template #> '{unique,states}');
  keep bigint := coalesce((template #>> '{unique,keepMs}')::bigint, 3600000);
  ends timestamptz;
  existing lineshaft.job;
  waits boolean;
  blocked_by text;
begin
  loop
    insert into lineshaft.unique_key (project_id, key, job_id, states, keep_ms)
    values (of_project, of_key, new_id, bits, keep)
    on conflict (project_id, key) do nothing;
    if found then
      return;
    end if;
    select u.job_id, u.until into holder, ends from lineshaft.unique_key u
    where u.project_id = of_project and u.key = of_key;
    continue when not found;
    if ends <= present then
      update lineshaft.unique_key u
      set job_id = new_id, states = bits, keep_ms = keep, until = null
      where u.project_id = of_project and u.key = of_key and u.job_id = holder and u.until = ends;
      if found then
        return;
      end if;
      continue;
    end if;
    exit when mode = 'keep' or ends is not null;
    select j.* into existing from lineshaft.job j where j.id = holder for update;
    exit when found;
    -- The job has gone meanwhile: its key is free, or stays taken for its time.
    exit when exists (
      select from lineshaft.unique_key u where u.project_id = of_project and u.key = of_key and u.job_id = holder
    );
  end loop;

  outcome := 'kept';
  if existing.id is null then
    return;
  end if;
  -- Ready comes twice, since a promoter, which locks no job, may have moved it between the two looks.
  for look in 1..3 loop
    if look = 2 then
      delete from lineshaft.later l where l.due = existing.due and l.seq = existing.seq and l.job_id = holder;
    else
      delete from lineshaft.ready r
      where r.lane = existing.lane and r.priority = existing.priority and r.due = existing.due and r.seq = existing.seq
        and r.job_id = holder;
    end if;
    waits := found;
    exit when waits;
  end loop;
  if not waits then
    -- A blocked job waits too. One whose payload could not be upgraded is free with the new one; the others stay under
    -- what will release them.
    select b.reason into blocked_by from lineshaft.blocked b where b.job_id = holder;
    waits := found;
    if blocked_by = 'upgrade-failed' then
      delete from lineshaft.blocked b where b.job_id = holder;
      blocked_by := null;
    end if;
  end if;
  if not waits then
    return;
  end if;
  update lineshaft.job j
  set payload = new_payload, version = new_version, fence = j.fence + 1,
    due = case when mode = 'throttle' then j.due else new_due end,
    lane = case when mode = 'replace' then new_lane else j.lane end,
    costs = case when mode = 'replace' then new_costs else j.costs end,
    priority = case when mode = 'replace' then new_priority else j.priority end,
    options = case when mode = 'replace' then jsonb_set(new_options, '{unique,key}', to_jsonb(of_key)) else j.options end
  where j.id = holder
  returning j.* into existing;
  if mode = 'replace' then
    update lineshaft.unique_key u set states = bits, keep_ms = keep
    where u.project_id = of_project and u.key = of_key and u.job_id = holder;
  end if;
  if blocked_by is not null then
    update lineshaft.blocked b set lane = existing.lane where b.job_id = holder;
  elsif existing.due <= present then
    insert into lineshaft.ready (due, seq, lane, priority, job_id)
    values (existing.due, existing.seq, existing.lane, existing.priority, holder);
    if existing.lane < 0 then
      perform lineshaft.open_lanes(array[existing.lane]);
    end if;
  else
    insert into lineshaft.later (due, seq, lane, priority, job_id)
    values (existing.due, existing.seq, existing.lane, existing.priority, holder);
  end if;
  outcome := 'replaced';
end
$$;

-- As enqueue_many, but gives up (55P03) when somebody's open transaction holds a key or an id for longer than `wait`.
-- For statements that are a transaction of their own.
create function lineshaft.enqueue_waiting(
  templates jsonb, template_of integer[], ids uuid[], payloads json, unique_keys text[], resend boolean, wake_mode text,
  since timestamptz, wait text
)
returns table (number integer, id uuid, result text) language plpgsql as $$
begin
  perform set_config('lock_timeout', wait, true);
  return query select * from lineshaft.enqueue_many(
    templates, template_of, ids, payloads, unique_keys, resend, wake_mode, since);
end
$$;

-- The options of a caller in SQL that are texts, objects or lists: their fields, types and ranges. Callers in
-- TypeScript have these checked before they are sent.
create function lineshaft.check_details(options jsonb)
returns void language plpgsql stable as $$
declare
  part text;
  entry jsonb;
  name text;
begin
  foreach part in array array['queue', 'project', 'runAt', 'id', 'pin', 'build'] loop
    if jsonb_typeof(options -> part) <> 'string' then
      perform lineshaft.refuse(part, options -> part, 'a text');
    end if;
  end loop;
  if options ->> 'runAt' !~ '^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?([Zz]|[+-]\d\d(:?\d\d)?)$' then
    perform lineshaft.refuse('runAt', options -> 'runAt', 'a time with a zone', 'like "2030-01-31T08:00:00Z"');
  end if;
  if options ->> 'pin' not in ('none', 'min', 'exact') then
    perform lineshaft.refuse('pin', options -> 'pin', 'none, min or exact');
  end if;

  perform lineshaft.check_fields(options, 'unique', array['key', 'states', 'keepMs', 'onConflict']);
  if options ? 'unique' then
    if jsonb_typeof(options #> '{unique,key}') is distinct from 'string'
      or length(options #>> '{unique,key}') not between 1 and 500 then
      perform lineshaft.refuse('unique.key', options #> '{unique,key}', 'a text of 1 to 500 characters');
    end if;
    perform lineshaft.check_range(options, '{unique,keepMs}', 1, 315360000000);
    if options #> '{unique,keepMs}' is not null
      and not coalesce(options #> '{unique,states}', '[]') ?| array['succeeded', 'failed', 'cancelled'] then
      perform lineshaft.refuse('unique.keepMs', options #> '{unique,keepMs}',
        'left out, or succeeded, failed or cancelled be in unique.states');
    end if;
  end if;

  if options ? 'backoff' then
    perform lineshaft.check_backoff(options, '{backoff}');
  end if;

  perform lineshaft.check_fields(options, 'limits', array['timeoutMs', 'memoryBytes', 'leaseMs']);
  perform lineshaft.check_range(options, '{limits,leaseMs}', 1000, 604800000);
  perform lineshaft.check_range(options, '{limits,timeoutMs}', 1, 604800000);
  perform lineshaft.check_range(options, '{limits,memoryBytes}', 16777216, 1125899906842624);
  perform lineshaft.check_fields(options, 'retention', array['succeededMs', 'failedMs', 'cancelledMs']);
  perform lineshaft.check_range(options, '{retention,succeededMs}', 0, 315360000000);
  perform lineshaft.check_range(options, '{retention,failedMs}', 0, 315360000000);
  perform lineshaft.check_range(options, '{retention,cancelledMs}', 0, 315360000000);

  perform lineshaft.check_fields(options, 'meta', null);
  if octet_length((options -> 'meta')::text) > 16384 then
    perform lineshaft.refuse('meta', to_jsonb(octet_length((options -> 'meta')::text)), 'at most 16384 bytes',
      'put larger data into the payload');
  end if;
  perform lineshaft.check_fields(options, 'labels', null);
  for name, entry in select l.key, l.value from jsonb_each(options -> 'labels') l loop
    if length(name) not between 1 and 63 or jsonb_typeof(entry) <> 'string' or length(entry #>> '{}') > 255 then
      perform lineshaft.refuse('labels.' || left(name, 63), entry, 'a text of at most 255 characters',
        'a key of labels has 1 to 63 characters');
    end if;
  end loop;
  if (select count(*) from jsonb_object_keys(options -> 'labels')) > 20 then
    perform lineshaft.refuse('labels', null, 'at most 20');
  end if;
  if jsonb_typeof(options -> 'requirements') <> 'array' or jsonb_array_length(options -> 'requirements') > 20 then
    perform lineshaft.refuse('requirements', options -> 'requirements', 'an array of at most 20 tags');
  end if;
  for entry in select r from jsonb_array_elements(options -> 'requirements') r loop
    if jsonb_typeof(entry) <> 'string' or length(entry #>> '{}') not between 1 and 255 then
      perform lineshaft.refuse('requirements', entry, 'tags of 1 to 255 characters', 'like "capability=gpu"');
    end if;
  end loop;
end
$$;

-- Refuses a back-off that is wrong; `place` is its path in the document.
create function lineshaft.check_backoff(document jsonb, place text[])
returns void language plpgsql immutable as $$
declare
  backoff jsonb := document #> place;
  name text := array_to_string(place, '.');
  unknown text;
begin
  if jsonb_typeof(backoff) <> 'object' then
    perform lineshaft.refuse(name, backoff, 'an object');
  end if;
  select k into unknown from jsonb_object_keys(backoff) k
  where k not in ('type', 'delayMs', 'factor', 'limitMs', 'jitter') limit 1;
  if unknown is not null then
    perform lineshaft.fail('LS400', 'OPTION_UNKNOWN', format('there is no option %L', name || '.' || unknown),
      'options: type, delayMs, factor, limitMs, jitter', jsonb_build_object('field', name || '.' || unknown));
  end if;
  if coalesce(backoff ->> 'type', '') not in ('fixed', 'linear', 'exponential') then
    perform lineshaft.refuse(name || '.type', backoff -> 'type', 'fixed, linear or exponential');
  end if;
  if backoff -> 'delayMs' is null then
    perform lineshaft.refuse(name || '.delayMs', null, 'a whole number from 0 to 2592000000');
  end if;
  perform lineshaft.check_range(document, place || 'delayMs'::text, 0, 2592000000);
  perform lineshaft.check_range(document, place || 'limitMs'::text, (backoff ->> 'delayMs')::numeric, 2592000000);
  perform lineshaft.check_range(document, place || 'factor'::text, 1, 10, false);
  perform lineshaft.check_range(document, place || 'jitter'::text, 0, 1, false);
  if backoff ->> 'type' <> 'exponential' and backoff -> 'factor' is not null then
    perform lineshaft.refuse(name || '.factor', backoff -> 'factor',
      format('left out with type %s', backoff ->> 'type'));
  end if;
end
$$;

-- Refuses an option that is no object, and fields of it that do not exist (null: it may have any).
create function lineshaft.check_fields(options jsonb, field text, fields text[])
returns void language plpgsql immutable as $$
declare
  unknown text;
begin
  if not options ? field then
    return;
  end if;
  if jsonb_typeof(options -> field) <> 'object' then
    perform lineshaft.refuse(field, options -> field, 'an object');
  end if;
  select k into unknown from jsonb_object_keys(options -> field) k where k <> all (fields) limit 1;
  if unknown is not null then
    perform lineshaft.fail('LS400', 'OPTION_UNKNOWN', format('there is no option %L', field || '.' || unknown),
      format('options: %s', array_to_string(fields, ', ')), jsonb_build_object('field', field || '.' || unknown));
  end if;
end
$$;

create function lineshaft.check_range(options jsonb, path text[], low numeric, high numeric, whole boolean default true)
returns void language plpgsql immutable as $$
declare
  value jsonb := options #> path;
begin
  if jsonb_typeof(value) <> 'number' or value::numeric not between low and high
    or (whole and value::numeric <> trunc(value::numeric)) then
    perform lineshaft.refuse(array_to_string(path, '.'), value,
      format('a %s from %s to %s', case when whole then 'whole number' else 'number' end, low, high));
  end if;
end
$$;

-- Refuses rules that are wrong, with their place; true where all are right. Expressions are checked for their form
-- only: they are those of JavaScript, and one that does not compile matches nothing.
create function lineshaft.check_retry_rules(rules jsonb)
returns boolean language plpgsql immutable as $$
declare
  rule jsonb;
  place text;
  n integer := 0;
  unknown text;
  whole jsonb := jsonb_build_object('retryRules', rules);
begin
  if jsonb_typeof(rules) <> 'array' or jsonb_array_length(rules) > 20 then
    perform lineshaft.refuse('retryRules', rules, 'an array of at most 20 rules');
  end if;
  for rule in select r from jsonb_array_elements(rules) r loop
    place := 'retryRules.' || n;
    if jsonb_typeof(rule) <> 'object' then
      perform lineshaft.refuse(place, rule, 'an object like {"error": "TimeoutError", "maxAttempts": 10}');
    end if;
    select k into unknown from jsonb_object_keys(rule) k where k not in ('error', 'fail', 'maxAttempts', 'backoff') limit 1;
    if unknown is not null then
      perform lineshaft.fail('LS400', 'OPTION_UNKNOWN', format('there is no option %L', place || '.' || unknown),
        'options: error, fail, maxAttempts, backoff', jsonb_build_object('field', place || '.' || unknown));
    end if;
    if jsonb_typeof(rule -> 'error') is distinct from 'string' or length(rule ->> 'error') not between 1 and 200 then
      perform lineshaft.refuse(place || '.error', rule -> 'error', 'a text of 1 to 200 characters');
    end if;
    if rule ->> 'error' like '/%' and rule ->> 'error' !~ '^/.+/[isu]*$' then
      perform lineshaft.refuse(place || '.error', rule -> 'error', 'an expression like /too many requests/i');
    end if;
    if jsonb_typeof(coalesce(rule -> 'fail', 'true')) <> 'boolean' then
      perform lineshaft.refuse(place || '.fail', rule -> 'fail', 'true or false');
    end if;
    if coalesce(rule -> 'fail', 'false') = 'true' and rule ?| array['maxAttempts', 'backoff'] then
      perform lineshaft.refuse(place || '.fail', rule -> 'fail', 'left out beside maxAttempts and backoff');
    end if;
    if coalesce(rule -> 'fail', 'false') = 'false' and not rule ?| array['maxAttempts', 'backoff'] then
      perform lineshaft.refuse(place, rule, 'a rule with fail, maxAttempts or backoff');
    end if;
    perform lineshaft.check_range(whole, array['retryRules', n::text, 'maxAttempts'], 1, 1000);
    if rule ? 'backoff' then
      perform lineshaft.check_backoff(whole, array['retryRules', n::text, 'backoff']);
    end if;
    n := n + 1;
  end loop;
  return true;
end
$$;

alter table lineshaft.queue add constraint queue_retry_rules check (lineshaft.check_retry_rules(retry_rules));

-- Enqueues one job from SQL, in the caller's transaction. Options that are null count as not given.
-- Example: select * from lineshaft.enqueue('send-email', '{"to": "ada@example.org"}', '{"queue": "mail"}');
create function lineshaft.enqueue(
  kind text, payload jsonb default '{}', options jsonb default '{}', out id uuid, out result text
)
language plpgsql as $$
declare
  key text;
  given uuid;
  other record;
begin
  options := coalesce(options, '{}');
  if jsonb_typeof(options) <> 'object' then
    perform lineshaft.refuse('options', options, 'a JSON object', 'like {"queue": "mail"}');
  end if;
  options := coalesce((select jsonb_object_agg(o.key, o.value) from jsonb_each(options) o where o.value <> 'null'), '{}');
  if options ? 'kind' then
    perform lineshaft.fail('LS400', 'OPTION_UNKNOWN', 'there is no option ''kind''', 'the kind is the first argument',
      '{"field": "kind"}');
  end if;
  perform lineshaft.check_details(options);
  key := options #>> '{unique,key}';
  begin
    given := (options ->> 'id')::uuid;
  exception when others then
    perform lineshaft.refuse('id', options -> 'id', 'a UUID');
  end;
  id := coalesce(given, lineshaft.uuid_v7());
  result := 'new';
  for other in
    select e.id, e.result
    from lineshaft.enqueue_many(
      jsonb_build_array(options || jsonb_build_object('kind', kind)), null, array[id],
      json_build_array(coalesce(payload, '{}')), case when key is null then null else array[key] end,
      given is not null, 'auto'
    ) e
  loop
    id := other.id;
    result := other.result;
  end loop;
end
$$;
