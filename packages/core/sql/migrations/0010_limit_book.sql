-- Limits as data: declared, changed and deleted while jobs wait and run; and what is done for them in the background.
-- Lock cost: new objects only: functions.

-- Makes a limit, or changes the settings that are given (columns by name). What its lanes are made by cannot change.
create function lineshaft.declare_limit(of_project text, of_name text, settings jsonb)
returns lineshaft.limit language plpgsql as $$
declare
  p bigint;
  before lineshaft.limit;
  wanted lineshaft.limit;
  fixed text;
begin
  select id into p from lineshaft.project where name = of_project;
  if not found then
    perform lineshaft.fail('LS404', 'PROJECT_NOT_FOUND', format('project %L not found', of_project),
      'create it: lineshaft project create NAME', jsonb_build_object('project', of_project));
  end if;
  -- One declaration at a time in a project: each decides what lanes come under it.
  perform pg_advisory_xact_lock(hashtextextended('lineshaft.limit', p));
  select * into before from lineshaft.limit l where l.project_id = p and l.name = of_name for update;
  if not found then
    insert into lineshaft.limit (project_id, name) values (p, of_name) returning * into before;
  else
    select k into fixed from jsonb_object_keys(settings) k
    where k in ('key_from', 'key_path', 'fifo', 'fair') and settings -> k is distinct from to_jsonb(before) -> k
    limit 1;
    if fixed is not null then
      perform lineshaft.fail('LS409', 'LIMIT_FIXED', format('%s of limit %L cannot be changed', fixed, of_name),
        'delete the limit and declare it anew, or declare another one', jsonb_build_object('limit', of_name, 'field', fixed));
    end if;
  end if;
  wanted := jsonb_populate_record(before, settings);
  update lineshaft.limit l
  set (concurrency, rate, period_ms, burst, sliding, fifo, fair, tiers, key_from, key_path, cost, cost_path, queues, kinds,
      whole_project, updated_at) = (
    wanted.concurrency, wanted.rate, wanted.period_ms, wanted.burst, wanted.sliding, wanted.fifo, wanted.fair, nullif(wanted.tiers, 'null'),
    wanted.key_from, wanted.key_path, wanted.cost, wanted.cost_path, wanted.queues, wanted.kinds, wanted.whole_project,
    clock_timestamp()
  )
  where l.id = before.id
  returning l.* into wanted;
  perform lineshaft.attach_limits(p);
  perform lineshaft.judge_limit(wanted.id);
  perform pg_notify('lineshaft', 'q');
  return wanted;
end
$$;

-- Forgets a limit: what it held back may go on. Returns whether there was one.
create function lineshaft.delete_limit(of_project text, of_name text)
returns boolean language plpgsql as $$
declare
  gone lineshaft.limit;
begin
  select l.* into gone from lineshaft.limit l join lineshaft.project p on p.id = l.project_id
  where p.name = of_project and l.name = of_name for update of l;
  if not found then
    return false;
  end if;
  perform pg_advisory_xact_lock(hashtextextended('lineshaft.limit', gone.project_id));
  delete from lineshaft.limit l where l.id = gone.id;
  update lineshaft.lane l set stale = true where l.id < 0 and gone.id = any (l.limits) and not l.stale;
  perform lineshaft.attach_limits(gone.project_id);
  perform lineshaft.judge_limit(gone.id);
  delete from lineshaft.counter c where c.limit_id = gone.id;
  perform pg_notify('lineshaft', 'q');
  return true;
end
$$;

-- Says of each lane which limits its jobs come under from now on; keyed lanes that were made for others are stale.
create function lineshaft.attach_limits(of_project bigint)
returns void language sql as $$
  with changed as (
    update lineshaft.lane l
    set attached = lineshaft.limits_on(l.queue_id, l.kind)
    from lineshaft.queue q
    where q.id = l.queue_id and q.project_id = of_project and l.id > 0
      and l.attached is distinct from lineshaft.limits_on(l.queue_id, l.kind)
    returning l.id
  )
  update lineshaft.lane k set stale = true from changed c where k.base = c.id and k.id < 0 and not k.stale
$$;

-- Judges anew all that waits for a limit, as after a change of what it grants.
create function lineshaft.judge_limit(of_limit integer)
returns void language plpgsql as $$
declare
  keys text[];
begin
  -- Also a counter that is gone may have left lanes behind.
  keys := array(select distinct k.key from lineshaft.parked k where k.limit_id = of_limit);
  perform lineshaft.lock_counters(array_fill(of_limit, array[cardinality(keys)]), keys);
  perform lineshaft.wake(
    lineshaft.unpark(array_fill(of_limit, array[cardinality(keys)]), keys, not exists (select from lineshaft.limit where id = of_limit)),
    false, 'always');
end
$$;

-- Nothing starts under a key of a limit before a time; what runs goes on. A time in the past opens it at once.
-- Returns false where there is no such limit.
create function lineshaft.throttle(of_project text, of_name text, of_key text, until_time timestamptz)
returns boolean language plpgsql as $$
declare
  of_limit integer;
  kept text := lineshaft.kept_key(of_key);
begin
  select l.id into of_limit from lineshaft.limit l join lineshaft.project p on p.id = l.project_id
  where p.name = of_project and l.name = of_name;
  if not found then
    return false;
  end if;
  insert into lineshaft.counter as c (limit_id, key, closed_until) values (of_limit, kept, until_time)
  on conflict (limit_id, key) do update set closed_until = excluded.closed_until;
  perform lineshaft.wake(lineshaft.unpark(array[of_limit], array[kept]), false, 'room');
  return true;
end
$$;

-- Opens lanes whose wait was for time alone. Returns how many counters it looked at.
create function lineshaft.open_due_limits(most integer)
returns integer language plpgsql as $$
declare
  limits integer[];
  keys text[];
begin
  select array_agg(d.limit_id), array_agg(d.key) into limits, keys
  from (
    select c.limit_id, c.key from lineshaft.counter c where c.wake_at <= clock_timestamp() order by c.wake_at limit most
  ) d;
  if limits is null then
    return 0;
  end if;
  perform lineshaft.lock_counters(limits, keys);
  update lineshaft.counter c set wake_at = null
  where c.ctid = any (array(
    select k.place
    from unnest(limits, keys) as p (limit_id, key)
    cross join lateral (
      select t.ctid as place from lineshaft.counter t where t.limit_id = p.limit_id and t.key = p.key limit 1
    ) k
  ));
  perform lineshaft.wake(lineshaft.unpark(limits, keys), false, 'room');
  return cardinality(limits);
end
$$;

-- Moves up to `most` waiting jobs into the lanes that they belong to since limits were declared or deleted. Returns how many.
-- Of what is not due yet only what is next is looked at, at most `most` rows: all of it, which is read from end to end, only
-- where `thorough`.
create function lineshaft.relane(most integer, thorough boolean)
returns integer language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  old_lanes integer[];
  ids uuid[];
  bases integer[];
  templates jsonb;
  payloads json;
  new_lanes integer[];
  new_costs text[];
  fifo boolean[];
  moved integer;
begin
  old_lanes := array(
    select l.id from lineshaft.lane l where l.attached is not null and l.id > 0
    union all
    select l.id from lineshaft.lane l where l.stale
  );
  if cardinality(old_lanes) = 0 then
    return 0;
  end if;
  -- The jobs are locked first, as everywhere; one that is claimed or changed at this moment is left alone.
  select array_agg(j.id), array_agg(j.base), json_agg(j.payload),
    jsonb_agg(jsonb_build_object('labels', j.options -> 'labels', 'under', j.under))
  into ids, bases, payloads, templates
  from (
    select k.id, k.payload, k.options, lineshaft.base_of(k.lane) as base,
      coalesce((
        select jsonb_agg(u.entry)
        from jsonb_array_elements(k.options -> 'under') as u (entry)
        join lineshaft.limit m on m.name = coalesce(u.entry ->> 'limit', u.entry #>> '{}')
        join lineshaft.lane b on b.id = k.lane
        join lineshaft.queue q on q.id = b.queue_id and q.project_id = m.project_id
      ), '[]') as under
    from (
      (
        select r.job_id
        from unnest(old_lanes) as o (lane)
        cross join lateral (select r.job_id from lineshaft.ready r where r.lane = o.lane limit most) r
        limit most
      )
      union all
      (select w.job_id from lineshaft.later w where thorough and w.lane = any (old_lanes) limit most)
      union
      (
        select w.job_id
        from (
          select w.job_id, w.lane
          from lineshaft.later w
          where not thorough and w.due < clock_timestamp() + interval '5 s'
          order by w.due, w.seq
          limit most
        ) w
        where w.lane = any (old_lanes)
      )
    ) waiting
    join lineshaft.job k on k.id = waiting.job_id
    where k.lane = any (old_lanes)
    order by k.id
    limit most
    for update of k skip locked
  ) j;
  if ids is null then
    return 0;
  end if;
  if exists (
    select from lineshaft.lane l join lineshaft.queue q on q.id = l.queue_id where l.id = any (bases) and q.steps
  ) then
    payloads := lineshaft.with_inputs(ids, payloads);
  end if;
  select k.job_lanes, k.job_costs, k.fifo into new_lanes, new_costs, fifo
  from lineshaft.keyed_lanes(templates, array(select generate_series(1, cardinality(ids))), bases, payloads) k;
  with place as (
    select p.id, coalesce(p.lane, p.base) as lane, p.costs::integer[] as costs, coalesce(p.fifo, false) as fifo
    from unnest(ids, new_lanes, bases, new_costs, fifo) as p (id, lane, base, costs, fifo)
  ),
  from_ready as (
    delete from lineshaft.ready r
    using place p join lineshaft.job j on j.id = p.id
    where r.lane = j.lane and r.priority = j.priority and r.due = j.due and r.seq = j.seq and r.job_id = j.id
    returning r.due, r.seq, r.priority, r.job_id, p.lane, p.costs, p.fifo
  ),
  from_later as (
    delete from lineshaft.later w
    using place p join lineshaft.job j on j.id = p.id
    where w.due = j.due and w.seq = j.seq and w.job_id = j.id
    returning w.due, w.seq, w.priority, w.job_id, w.reason, p.lane, p.costs, p.fifo
  ),
  to_ready as (
    insert into lineshaft.ready (due, seq, lane, priority, job_id)
    select f.due, f.seq, f.lane, case when f.fifo then 0 else f.priority end, f.job_id from from_ready f
  ),
  to_later as (
    insert into lineshaft.later (due, seq, lane, priority, reason, job_id)
    select f.due, f.seq, f.lane, case when f.fifo then 0 else f.priority end, f.reason, f.job_id from from_later f
  ),
  changed as (
    update lineshaft.job j
    set lane = f.lane, costs = f.costs, priority = case when f.fifo then 0 else j.priority end
    from (
      select r.job_id, r.lane, r.costs, r.fifo from from_ready r
      union all
      select w.job_id, w.lane, w.costs, w.fifo from from_later w
    ) f
    where j.id = f.job_id
    returning 1
  )
  select count(*) into moved from changed;
  perform lineshaft.open_lanes(array(select distinct x from unnest(new_lanes) x));
  perform lineshaft.wake(
    array(select distinct b.queue_id from unnest(bases) as o (base) join lineshaft.lane b on b.id = o.base), false, 'always');
  return moved;
end
$$;

-- What each counter holds by the jobs that run: to compare with what it says.
create function lineshaft.counted_limits()
returns table (limit_id integer, key text, used bigint) language sql stable as $$
  select u.limit_id, u.key, sum(case when u.limit_id = l.fifo then 0 else coalesce(u.cost, 1) end)
  from lineshaft.lease e
  cross join lateral unnest(e.job_ids, e.fences) as h (id, fence)
  join lineshaft.job j on j.id = h.id and j.fence = h.fence
  join lineshaft.lane l on l.id = j.lane
  cross join lateral unnest(l.limits, l.keys, j.costs) as u (limit_id, key, cost)
  where j.lane < 0
  group by 1, 2
$$;

-- Belt and braces, once in a while: corrects counters that do not say what runs, frees FIFO keys whose job is gone,
-- opens lanes that have jobs but neither a turn nor a place to park, and lanes whose counter has room. Returns how many
-- of each it found; all but `keys` should be 0.
create function lineshaft.mend_limits(out counters integer, out keys integer, out lanes integer, out parked integer)
language plpgsql as $$
declare
  suspect record;
  actual bigint;
  lost integer[];
  queues bigint[];
begin
  counters := 0;
  for suspect in
    select c.limit_id, c.key
    from lineshaft.counter c
    left join lineshaft.counted_limits() a on a.limit_id = c.limit_id and a.key = c.key
    where c.used <> coalesce(a.used, 0) and c.holder is null
    order by c.key = '', 1, 2
  loop
    -- Jobs start and end under the lock of the counter: what runs is certain once it is held.
    perform from lineshaft.counter c where c.limit_id = suspect.limit_id and c.key = suspect.key and c.holder is null for update;
    continue when not found;
    select coalesce(sum(a.used), 0) into actual from lineshaft.counted_limits() a
    where a.limit_id = suspect.limit_id and a.key = suspect.key;
    update lineshaft.counter c set used = actual
    where c.limit_id = suspect.limit_id and c.key = suspect.key and c.used <> actual;
    if found then
      counters := counters + 1;
      queues := queues || lineshaft.unpark(array[suspect.limit_id], array[suspect.key]);
    end if;
  end loop;

  keys := 0;
  for suspect in
    select c.limit_id, c.key, c.holder
    from lineshaft.counter c
    left join lineshaft.job j on j.id = c.holder
    left join lineshaft.lane l on l.id = j.lane
    left join lineshaft.dead d on d.job_id = c.holder
    where c.holder is not null
      and (l.id is null or d.job_id is not null or (l.fifo, l.fifo_key) is distinct from (c.limit_id, c.key))
    order by c.key = '', 1, 2
  loop
    update lineshaft.counter c set used = 0, holder = null
    where c.limit_id = suspect.limit_id and c.key = suspect.key and c.holder = suspect.holder;
    if found then
      keys := keys + 1;
      queues := queues || lineshaft.unpark(array[suspect.limit_id], array[suspect.key], true);
    end if;
  end loop;

  lost := array(
    with recursive hop as (
      (select r.lane, 1 as n from lineshaft.ready r where r.lane < 0 order by r.lane limit 1)
      union all
      select (select r.lane from lineshaft.ready r where r.lane > h.lane and r.lane < 0 order by r.lane limit 1), h.n + 1
      from hop h
      where h.lane is not null and h.n < 20000
    )
    select h.lane from hop h
    where h.lane is not null
      and not exists (select from lineshaft.parked k where k.lane = h.lane)
      and not exists (select from lineshaft.turn t where t.lane = h.lane)
  );
  lanes := cardinality(lost);
  perform lineshaft.open_lanes(lost);
  queues := queues || array(select distinct l.queue_id from lineshaft.lane l where l.id = any (lost));

  parked := 0;
  for suspect in
    select distinct k.key = '' as shared, k.limit_id, k.key
    from lineshaft.parked k
    left join lineshaft.counter c on c.limit_id = k.limit_id and c.key = k.key
    left join lineshaft.limit l on l.id = k.limit_id
    left join lateral lineshaft.terms_of(l, k.key) e on true
    where c.limit_id is null or l.id is null
      or (
        k.need <= lineshaft.room_of(c, e.concurrency, e.per_ms, e.burst, clock_timestamp())
          - case when k.lane is distinct from c.short_lane then lineshaft.held_back(c, 1000000000, clock_timestamp()) else 0 end
        and c.wake_at is null
      )
      or (k.need > 1 and l.fifo)
    order by 1, 2, 3
    limit 1000
  loop
    perform from lineshaft.counter c where c.limit_id = suspect.limit_id and c.key = suspect.key for update;
    if cardinality(lineshaft.unpark(array[suspect.limit_id], array[suspect.key], true)) > 0 then
      parked := parked + 1;
    end if;
  end loop;
  perform lineshaft.wake(coalesce(queues, '{}'), false, 'always');
end
$$;

-- Forgets up to `most` keyed lanes without jobs and counters in which nothing is in use. Returns how many.
create function lineshaft.collect_limits(most integer)
returns integer language plpgsql as $$
declare
  candidates integer[];
  gone integer;
  more integer;
begin
  -- Two statements, the second with a look of its own: who enqueues holds the lane by a lock, and before the lock is
  -- had nobody knows whether there are jobs.
  candidates := array(
    select l.id
    from lineshaft.lane l
    where l.id < 0 and not exists (select from lineshaft.job j where j.lane = l.id)
    limit most
    for update skip locked
  );
  delete from lineshaft.lane l
  where l.id = any (candidates)
    and not exists (select from lineshaft.job j where j.lane = l.id)
    and not exists (select from lineshaft.turn t where t.lane = l.id)
    and not exists (select from lineshaft.parked k where k.lane = l.id);
  get diagnostics gone = row_count;
  delete from lineshaft.counter c
  where (c.limit_id, c.key) in (
    select k.limit_id, k.key
    from lineshaft.counter k
    join lineshaft.limit l on l.id = k.limit_id
    cross join lateral lineshaft.terms_of(l, k.key) e
    where k.used = 0 and k.holder is null and k.wake_at is null
      and coalesce(k.closed_until, '-infinity') < clock_timestamp()
      and (e.per_ms is null or lineshaft.tokens_of(k, e.per_ms, e.burst, clock_timestamp()) >= e.burst)
      and not exists (select from lineshaft.parked p where p.limit_id = k.limit_id and p.key = k.key)
    limit most
    for update of k skip locked
  );
  get diagnostics more = row_count;
  return gone + more;
end
$$;
