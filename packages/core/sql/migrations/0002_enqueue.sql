-- Enqueueing: the rules (defaults, sizes, uniqueness, waking) live here, for callers in any language.
-- Lock cost: functions only.

-- The lane of (queue, kind, requirements, pinned build), made if it is new.
create function lineshaft.lane_of(of_queue bigint, of_kind text, needs text[], of_pin text, of_build text)
returns integer language plpgsql as $$
declare
  found_id integer;
  sorted text[] := array(select distinct t from unnest(needs) t order by t);
begin
  loop
    select l.id into found_id from lineshaft.lane l
    where l.queue_id = of_queue and l.kind = of_kind and l.requirements = sorted
      and l.pin = of_pin and l.build = of_build;
    if found then
      return found_id;
    end if;
    insert into lineshaft.lane (queue_id, kind, requirements, pin, build)
    values (of_queue, of_kind, sorted, of_pin, of_build)
    on conflict do nothing;
    if found then
      -- Workers know lanes by number; a new one is news to them.
      perform pg_notify('lineshaft', 'n');
    end if;
  end loop;
end
$$;

-- The run time that a template asks for; null where it asks for none.
create function lineshaft.due_of(template jsonb)
returns timestamptz language plpgsql stable as $$
begin
  if template ? 'delayMs' then
    return clock_timestamp() + (template ->> 'delayMs')::double precision * interval '1 millisecond';
  end if;
  return (template ->> 'runAt')::timestamptz;
exception when others then
  perform lineshaft.fail('LS400', 'OPTION_INVALID',
    format('runAt must be a time with a zone, not %L', template ->> 'runAt'), null, '{"field": "runAt"}');
end
$$;

-- Refuses names of options that do not exist and values that are out of range.
create function lineshaft.check_template(template jsonb)
returns void language plpgsql stable as $$
declare
  unknown text;
  number numeric;
begin
  select k into unknown from jsonb_object_keys(template) k
  where k not in ('kind', 'queue', 'project', 'priority', 'runAt', 'delayMs', 'maxAttempts', 'backoff', 'unique',
    'requirements', 'limits', 'labels', 'meta', 'retention', 'version', 'pin', 'build', 'id')
  limit 1;
  if unknown is not null then
    perform lineshaft.fail('LS400', 'OPTION_UNKNOWN', format('there is no option %L', unknown),
      'options: queue, project, priority, runAt, delayMs, maxAttempts, backoff, unique, requirements, limits, '
      || 'labels, meta, retention, id', jsonb_build_object('field', unknown));
  end if;
  if coalesce(template ->> 'kind', '') !~ '^[A-Za-z0-9_][A-Za-z0-9_.:/@-]{0,199}$' then
    perform lineshaft.fail('LS400', 'OPTION_INVALID',
      format('kind must be 1 to 200 letters, digits or _ . : / @ -, not %L', template ->> 'kind'),
      null, '{"field": "kind"}');
  end if;
  if template ? 'runAt' and template ? 'delayMs' then
    perform lineshaft.fail('LS400', 'OPTION_INVALID', 'runAt and delayMs cannot be given together', null,
      '{"field": "delayMs"}');
  end if;
  perform lineshaft.check_number(template, 'priority', -32768, 32767);
  perform lineshaft.check_number(template, 'maxAttempts', 1, 1000);
  perform lineshaft.check_number(template, 'delayMs', 0, 315360000000);
  perform lineshaft.check_number(template, 'version', 1, 32767);
  if jsonb_typeof(coalesce(template -> 'requirements', '[]')) <> 'array' then
    perform lineshaft.fail('LS400', 'OPTION_INVALID', 'requirements must be an array of tags', null,
      '{"field": "requirements"}');
  end if;
  if jsonb_typeof(coalesce(template -> 'labels', '{}')) <> 'object' then
    perform lineshaft.fail('LS400', 'OPTION_INVALID', 'labels must be an object of texts', null, '{"field": "labels"}');
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
      || '"onConflict": keep, replace, debounce or throttle}', null, '{"field": "unique"}');
  end if;
  if template ? 'unique' and template #> '{unique,key}' is not null
    and length(template #>> '{unique,key}') not between 1 and 500 then
    perform lineshaft.fail('LS400', 'OPTION_INVALID', 'unique.key must have 1 to 500 characters', null,
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
      null, jsonb_build_object('field', field));
  end if;
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
    template - array['kind', 'queue', 'project', 'priority', 'runAt', 'delayMs', 'requirements', 'version', 'pin', 'build', 'id'],
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

-- Tells workers that queues have jobs, and promoters (`later`) that something new is to come due.
-- `always` notifies at once: one NOTIFY per call, in this transaction. `auto` is for the transactions of
-- others: NOTIFY takes a lock that serialises the commits of the whole database, so only one transaction at a
-- time carries it per queue; the others rely on that one, on the caller's wake after commit, and on the
-- second look that a worker takes after each wake.
create function lineshaft.wake(queues bigint[], later boolean, mode text)
returns void language plpgsql as $$
declare
  woken text;
begin
  if mode = 'never' then
    return;
  end if;
  select string_agg(q.id::text, ',') into woken
  from lineshaft.queue q
  where q.id = any (queues) and q.wake <> 'never'
    and (
      mode = 'always' or q.wake = 'always'
      or pg_try_advisory_xact_lock(hashtextextended('lineshaft.wake', q.id))
    );
  if woken is not null then
    perform pg_notify('lineshaft', left(case mode when 'always' then 'r' else 'a' end || woken, 7000));
  end if;
  if later and (mode = 'always' or pg_try_advisory_xact_lock(hashtextextended('lineshaft.wake', 0))) then
    perform pg_notify('lineshaft', 'l');
  end if;
end
$$;

-- Enqueues many jobs. `payloads` is a JSON array; job n has ids[n], payloads[n - 1], and the options of
-- templates[template_of[n]] (null: all have the first). `unique_keys` (null: none) has a key per job.
-- `resend`: the ids may have been sent before. `wake_mode`: always, auto or never. `since`: the time that stands for
-- now (null: the clock), so that the batches of one call, written side by side, keep the order of the call.
-- Returns a row for each job that is not new: its number, the id of the job that stands for it, and the result.
create function lineshaft.enqueue_many(
  templates jsonb, template_of integer[], ids uuid[], payloads json, unique_keys text[], resend boolean, wake_mode text,
  since timestamptz default null
)
returns table (number integer, id uuid, result text) language plpgsql as $$
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
  max_bytes integer;
begin
  for template in select t from jsonb_array_elements(templates) t loop
    -- The common case, a kind and a queue that were met before, in one look-up.
    select q.id as queue_id, q.project_id, q.priority, l.id as lane into known
    from lineshaft.project p
    join lineshaft.queue q on q.project_id = p.id and q.name = coalesce(template ->> 'queue', 'default')
    join lineshaft.lane l on l.queue_id = q.id and l.kind = template ->> 'kind'
      and l.requirements = '{}' and l.pin = 'none' and l.build = ''
    where p.name = 'default' and template - '{kind,queue}'::text[] = '{}';
    if found then
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
    lanes := lanes || lineshaft.lane_of(of_queue.id, template ->> 'kind',
      array(select jsonb_array_elements_text(coalesce(template -> 'requirements', '[]'))),
      coalesce(template ->> 'pin', 'none'), coalesce(template ->> 'build', ''));
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

  select s.value::integer into max_bytes from lineshaft.setting s where s.name = 'payload_max_bytes';
  if octet_length(payloads::text) > max_bytes then
    perform lineshaft.check_sizes(payloads, max_bytes);
  end if;

  if unique_keys is null and not resend then
    if any_later then
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
      template_of, ids, payloads, unique_keys, resend, templates, lanes, projects, priorities, dues, versions, kept, present);
  end if;

  perform lineshaft.wake(ready_queues, any_later, wake_mode);
end
$$;

-- Names the first payload that is too large.
create function lineshaft.check_sizes(payloads json, max_bytes integer)
returns void language plpgsql as $$
declare
  place bigint;
  size integer;
begin
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

-- The path with checks: unique keys are taken in sorted order, ids that were sent before are recognised.
create function lineshaft.enqueue_checked(
  template_of integer[], ids uuid[], payloads json, unique_keys text[], resend boolean, templates jsonb, lanes integer[],
  projects bigint[], priorities smallint[], dues timestamptz[], versions smallint[], kept jsonb[], present timestamptz
)
returns table (number integer, id uuid, result text) language plpgsql as $$
#variable_conflict use_column
declare
  wanted record;
  holder uuid;
  outcome text;
begin
  for wanted in
    select j.n::integer as number, j.id, j.payload, x.t as template, j.key, projects[x.t] as project, dues[x.t] as due
    from rows from (
      unnest(ids),
      json_array_elements(payloads),
      unnest(coalesce(unique_keys, array_fill(null::text, array[cardinality(ids)])))
    ) with ordinality as j (id, payload, key, n)
    cross join lateral (select coalesce(template_of[j.n], 1)) as x (t)
    order by project, key nulls first, number
  loop
    outcome := null;
    if resend then
      outcome := lineshaft.recognise(wanted.id, wanted.payload, lanes[wanted.template]);
      holder := wanted.id;
    end if;
    if outcome is null and wanted.key is not null then
      select u.holder, u.outcome into holder, outcome
      from lineshaft.take_key(wanted.project, wanted.key, wanted.id, wanted.payload, templates -> (wanted.template - 1),
        lanes[wanted.template], priorities[wanted.template], wanted.due, versions[wanted.template],
        nullif(kept[wanted.template], 'null'::jsonb), present) u;
    end if;
    if outcome is not null then
      number := wanted.number;
      id := holder;
      result := outcome;
      return next;
    else
      perform lineshaft.place_new(wanted.id, wanted.payload, lanes[wanted.template], priorities[wanted.template],
        wanted.due, present, versions[wanted.template],
        case when wanted.key is null then nullif(kept[wanted.template], 'null'::jsonb)
        else jsonb_set(kept[wanted.template], '{unique,key}', to_jsonb(wanted.key)) end);
    end if;
  end loop;
end
$$;

create function lineshaft.place_new(
  job_id uuid, payload json, lane integer, priority smallint, due timestamptz, present timestamptz, version smallint, options jsonb
)
returns void language plpgsql as $$
declare
  place bigint := nextval('lineshaft.job_seq');
begin
  insert into lineshaft.job (id, seq, due, created_at, lane, priority, version, payload, options)
  values (job_id, place, due, present, lane, priority, version, payload, options);
  if due <= present then
    insert into lineshaft.ready (due, seq, lane, priority, job_id) values (due, place, lane, priority, job_id);
  else
    insert into lineshaft.later (due, seq, lane, priority, job_id) values (due, place, lane, priority, job_id);
  end if;
end
$$;

-- Whether this id was enqueued before: `kept` with the same content, an error with another, null if it is new.
create function lineshaft.recognise(job_id uuid, payload json, of_lane integer)
returns text language plpgsql as $$
declare
  existing lineshaft.job;
begin
  perform pg_advisory_xact_lock(hashtextextended(job_id::text, 7));
  select j.* into existing from lineshaft.job j where j.id = job_id;
  if found then
    if existing.lane = of_lane and existing.payload::jsonb = payload::jsonb then
      return 'kept';
    end if;
    perform lineshaft.fail('LS409', 'JOB_ID_CONFLICT', format('job %s exists with another content', job_id), null,
      jsonb_build_object('id', job_id));
  end if;
  if exists (
    select from lineshaft.history h where h.id_span @> job_id and job_id = any (h.ids)
  ) then
    if (
      select lineshaft.entry_matches(split_part(h.entries, e'\n', array_position(h.ids, job_id)), payload, of_lane)
      from lineshaft.history h where h.id_span @> job_id and job_id = any (h.ids) limit 1
    ) then
      return 'kept';
    end if;
    perform lineshaft.fail('LS409', 'JOB_ID_CONFLICT', format('job %s exists with another content', job_id), null,
      jsonb_build_object('id', job_id));
  end if;
  return null;
end
$$;

-- A line of history: [lane, outcome, attempt, createdMs, startedMs, finishedMs, worker, payload, output, extra].
create function lineshaft.entry_matches(entry text, payload json, of_lane integer)
returns boolean language sql immutable as $$
  select (entry::json ->> 0)::integer = of_lane and (entry::json -> 7)::jsonb = payload::jsonb
$$;

-- Takes a unique key for a new job (outcome null), or settles with the job that holds it.
create function lineshaft.take_key(
  of_project bigint, of_key text, new_id uuid, new_payload json, template jsonb, new_lane integer, new_priority smallint,
  new_due timestamptz, new_version smallint, new_options jsonb, present timestamptz,
  out holder uuid, out outcome text
)
language plpgsql as $$
declare
  mode text := coalesce(template #>> '{unique,onConflict}', 'keep');
  bits smallint := lineshaft.state_bits(template #> '{unique,states}');
  keep bigint := coalesce((template #>> '{unique,keepMs}')::bigint, 3600000);
  existing lineshaft.job;
  waits boolean;
  due_now timestamptz;
begin
  loop
    insert into lineshaft.unique_key as u (project_id, key, job_id, states, keep_ms)
    values (of_project, of_key, new_id, bits, keep)
    on conflict (project_id, key) do update
      set job_id = excluded.job_id, states = excluded.states, keep_ms = excluded.keep_ms, until = null
      where u.until <= present
    returning u.job_id into holder;
    if found then
      outcome := null;
      return;
    end if;
    select u.job_id into holder from lineshaft.unique_key u
    where u.project_id = of_project and u.key = of_key
    for update;
    exit when found;
  end loop;

  outcome := 'kept';
  if mode = 'keep' then
    return;
  end if;
  select j.* into existing from lineshaft.job j where j.id = holder for update;
  if not found then
    return;
  end if;
  delete from lineshaft.ready r
  where r.lane = existing.lane and r.priority = existing.priority and r.due = existing.due and r.seq = existing.seq
    and r.job_id = holder;
  waits := found;
  if not waits then
    delete from lineshaft.later l where l.due = existing.due and l.seq = existing.seq and l.job_id = holder;
    waits := found;
  end if;
  if not waits then
    return;
  end if;
  due_now := case when mode = 'throttle' then existing.due else new_due end;
  update lineshaft.job j
  set payload = new_payload, version = new_version, due = due_now, fence = j.fence + 1,
    lane = case when mode = 'throttle' then j.lane else new_lane end,
    priority = case when mode = 'throttle' then j.priority else new_priority end,
    options = case when mode = 'throttle' then j.options else jsonb_set(new_options, '{unique,key}', to_jsonb(of_key)) end
  where j.id = holder
  returning j.* into existing;
  if existing.due <= present then
    insert into lineshaft.ready (due, seq, lane, priority, job_id)
    values (existing.due, existing.seq, existing.lane, existing.priority, holder);
  else
    insert into lineshaft.later (due, seq, lane, priority, job_id)
    values (existing.due, existing.seq, existing.lane, existing.priority, holder);
  end if;
  outcome := 'replaced';
end
$$;

-- Enqueues one job from SQL, in the caller's transaction.
-- Example: select * from lineshaft.enqueue('send-email', '{"to": "ada@example.org"}', '{"queue": "mail"}');
create function lineshaft.enqueue(
  kind text, payload jsonb default '{}', options jsonb default '{}', out id uuid, out result text
)
language plpgsql as $$
declare
  key text := options #>> '{unique,key}';
  given uuid;
  other record;
begin
  if jsonb_typeof(options) <> 'object' then
    perform lineshaft.fail('LS400', 'OPTION_INVALID', 'options must be a JSON object', null, '{"field": "options"}');
  end if;
  if options ? 'unique' and key is null then
    perform lineshaft.fail('LS400', 'OPTION_INVALID', 'unique.key must have 1 to 500 characters', null,
      '{"field": "unique.key"}');
  end if;
  begin
    given := (options ->> 'id')::uuid;
  exception when others then
    perform lineshaft.fail('LS400', 'OPTION_INVALID', format('id must be a UUID, not %L', options ->> 'id'), null,
      '{"field": "id"}');
  end;
  id := coalesce(given, lineshaft.uuid_v7());
  result := 'new';
  for other in
    select e.id, e.result
    from lineshaft.enqueue_many(
      jsonb_build_array(options || jsonb_build_object('kind', kind)), null, array[id], json_build_array(payload),
      case when key is null then null else array[key] end, given is not null, 'auto'
    ) e
  loop
    id := other.id;
    result := other.result;
  end loop;
end
$$;
