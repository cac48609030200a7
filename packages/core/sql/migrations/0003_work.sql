-- What moves jobs other than the hot path: cancel, retry, delete, rescue, leadership.
-- Each is a function because it needs several statements, each with a snapshot of its own: first lock, then look.
-- Lock order everywhere: worker, lease, job, then ready / later / blocked / dead.
-- Lock cost: new objects only: functions, and the first partitions of history.

-- A job that stops running, or will never run: `s` it stopped and goes on waiting, `e` it ran and is final, `g` it
-- waited and is final. Jobs of one lane and one cost may go together.
create type lineshaft.freed as (lane integer, costs integer[], how "char", jobs uuid[]);

-- The lane of history for a lane: history outlives keyed lanes.
create function lineshaft.base_of(of_lane integer)
returns integer language sql stable as $$
  select case when of_lane > 0 then of_lane else coalesce((select l.base from lineshaft.lane l where l.id = of_lane), 0) end
$$;

-- A line of history as the workers write it, for jobs that finish without one.
create function lineshaft.entry_of(j lineshaft.job, outcome text, reason text)
returns text language sql stable as $$
  select replace(json_build_array(
    lineshaft.base_of(j.lane), outcome, j.attempt, floor(extract(epoch from j.created_at) * 1000), null,
    floor(extract(epoch from clock_timestamp()) * 1000), null, j.payload, null,
    jsonb_strip_nulls(jsonb_build_object('reason', reason, 'options', j.options, 'errors', j.errors))
  )::text, e'\n', ' ')
$$;

-- The retention in milliseconds of a job for one of succeededMs, failedMs, cancelledMs.
create function lineshaft.retention_of(j lineshaft.job, field text)
returns double precision language sql stable as $$
  select coalesce(
    (j.options #>> array['retention', field])::double precision,
    (q.retention ->> field)::double precision,
    1209600000
  )
  from lineshaft.lane l join lineshaft.queue q on q.id = l.queue_id
  where l.id = j.lane
$$;

-- Frees, or keeps for its time, the unique key of a job that has reached a finished state (state_bit).
create function lineshaft.release_key(j lineshaft.job, state_bit smallint)
returns void language plpgsql as $$
declare
  of_key text := j.options #>> '{unique,key}';
  of_project bigint;
begin
  if of_key is null then
    return;
  end if;
  select q.project_id into of_project from lineshaft.lane l join lineshaft.queue q on q.id = l.queue_id where l.id = j.lane;
  perform lineshaft.release_keys(array[of_project], array[of_key], array[j.id], state_bit);
end
$$;

create function lineshaft.release_keys(projects bigint[], keys text[], holders uuid[], state_bit smallint)
returns void language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  kept tid[];
  freed tid[];
begin
  -- Looked up one by one, whatever the planner takes the table for, and locked, in the order in which those who enqueue lock
  -- them: so they stay for what follows.
  select array_agg(h.place) filter (where h.keeps), array_agg(h.place) filter (where not h.keeps) into kept, freed
  from (
    select * from unnest(projects, keys, holders) as k (project_id, key, job_id)
    order by k.key collate "C", k.project_id offset 0
  ) k
  cross join lateral (
    select u.ctid as place, u.states & state_bit <> 0 as keeps from lineshaft.unique_key u
    where u.project_id = k.project_id and u.key = k.key and u.job_id = k.job_id
    limit 1
    for update
  ) h;
  if kept is not null then
    update lineshaft.unique_key u set until = clock_timestamp() + u.keep_ms * interval '1 millisecond' where u.ctid = any (kept);
  end if;
  if freed is not null then
    delete from lineshaft.unique_key u where u.ctid = any (freed);
  end if;
end
$$;

-- Takes a job out of wherever it waits. Its row in job must be locked by the caller.
-- Returns where it was: ready, later, blocked, dead; or running.
create function lineshaft.unplace(j lineshaft.job)
returns text language plpgsql as $$
begin
  delete from lineshaft.ready r
  where r.lane = j.lane and r.priority = j.priority and r.due = j.due and r.seq = j.seq and r.job_id = j.id;
  if found then
    return 'ready';
  end if;
  delete from lineshaft.later l where l.due = j.due and l.seq = j.seq and l.job_id = j.id;
  if found then
    return 'later';
  end if;
  -- A promoter may have moved it between the two looks.
  delete from lineshaft.ready r
  where r.lane = j.lane and r.priority = j.priority and r.due = j.due and r.seq = j.seq and r.job_id = j.id;
  if found then
    return 'ready';
  end if;
  delete from lineshaft.blocked b where b.job_id = j.id;
  if found then
    return 'blocked';
  end if;
  delete from lineshaft.dead d where d.job_id = j.id;
  if found then
    return 'dead';
  end if;
  return 'running';
end
$$;

-- Cancels jobs. Final at once: a running job's worker is told, and its late result is dropped.
-- Returns per id: cancelled, running (cancelled while it ran), finished, or unknown.
create function lineshaft.cancel(ids uuid[], why text)
returns table (id uuid, result text) language plpgsql as $$
#variable_conflict use_column
declare
  j lineshaft.job;
  place text;
  target uuid;
  freed lineshaft.freed[] := '{}';
begin
  for target in select distinct t from unnest(ids) t order by t loop
    select * into j from lineshaft.job where lineshaft.job.id = target for update;
    if not found then
      id := target;
      result := case when exists (select from lineshaft.history h where h.id_span @> target and target = any (h.ids))
        then 'finished' else 'unknown' end;
      return next;
      continue;
    end if;
    if exists (select from lineshaft.dead d where d.job_id = target) then
      id := target;
      result := 'finished';
      return next;
      continue;
    end if;
    place := lineshaft.unplace(j);
    delete from lineshaft.job where lineshaft.job.id = target;
    if lineshaft.is_of_steps(j.lane) then
      perform lineshaft.mark_step(target, jsonb_build_object(
        'type', 'reported', 'status', 'CANCELED', 'output', '{}'::jsonb, 'merge', true, 'reason', why));
    elsif lineshaft.retention_of(j, 'cancelledMs') > 0 then
      insert into lineshaft.history (expires_at, ids, id_span, lanes, entries, outcome, created_from, created_to)
      values (
        now() + lineshaft.retention_of(j, 'cancelledMs') * interval '1 millisecond',
        array[target], lineshaft.id_range(target, target, '[]'), array[lineshaft.base_of(j.lane)],
        lineshaft.entry_of(j, 'cancelled', why),
        'cancelled', date_trunc('milliseconds', j.created_at), date_trunc('milliseconds', j.created_at)
      );
    end if;
    perform lineshaft.release_key(j, 16::smallint);
    if j.lane < 0 then
      freed := freed || (j.lane, j.costs, case place when 'running' then 'e' else 'g' end, array[target])::lineshaft.freed;
    end if;
    if place = 'running' then
      insert into lineshaft.cancellation (job_id, reason) values (target, why) on conflict do nothing;
      perform pg_notify('lineshaft', 'c' || target);
    end if;
    perform lineshaft.announce(array[target]);
    id := target;
    result := case place when 'running' then 'running' else 'cancelled' end;
    return next;
  end loop;
  perform lineshaft.release(freed);
end
$$;

-- Ends jobs wherever they are, without a line of history and without a lease of the caller's: jobs of steps, whose runs
-- keep what became of them. Waiting ones go from where they wait; those that a worker runs are cancelled there, and its
-- late result is dropped; those that are with the row `remote` (number 0: workers that poll over HTTP) go with their
-- lease. Room under limits is given back and used at once. Ids without a job are left alone, so that it may be called
-- again. Step jobs have no unique keys. Returns how many ended.
-- Locks, in the order that holds everywhere: leases, jobs, where they wait, counters; each by id.
create function lineshaft.withdraw_jobs(ids uuid[])
returns integer language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  known uuid[];
  waiting uuid[];
  freed lineshaft.freed[];
  running uuid[];
  polled uuid[];
  told_count bigint;
begin
  if coalesce(cardinality(ids), 0) = 0 then
    return 0;
  end if;
  perform lineshaft.lock_remote(ids);
  known := array(
    select k.id
    from (select distinct t.id from unnest(ids) as t (id) order by t.id offset 0) t
    cross join lateral (select j.id from lineshaft.job j where j.id = t.id limit 1 for update) k
  );
  if cardinality(known) = 0 then
    return 0;
  end if;

  waiting := lineshaft.unplace_all(known);
  running := array(select unnest(known) except select unnest(waiting));
  with gone as (
    delete from lineshaft.job j where j.id = any (known) returning j.id, j.lane, j.costs
  )
  select array_agg((g.lane, g.costs, case when g.id in (select unnest(running)) then 'e' else 'g' end, array[g.id])::lineshaft.freed)
    filter (where g.lane < 0)
  into freed
  from gone g;

  if cardinality(running) > 0 then
    polled := lineshaft.drop_remote(running);
    with native as materialized (
      select unnest(running) as id except select unnest(polled)
    ),
    told as (
      insert into lineshaft.cancellation (job_id, reason)
      select n.id, 'the run goes on without it' from native n order by n.id
      on conflict do nothing
    )
    select count(pg_notify('lineshaft', 'c' || n.id)) into told_count from native n;
  end if;
  perform lineshaft.release(freed);
  return cardinality(known);
end
$$;

-- Locks the leases of jobs that are with the row `remote`.
create function lineshaft.lock_remote(ids uuid[])
returns void language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
begin
  perform from (
    select
    from (
      select p.lease
      from unnest(ids) as t (id)
      cross join lateral (select p.lease from lineshaft.job_lease p where p.job_id = t.id and p.worker = 0 limit 1) p
      order by p.lease
      offset 0
    ) o
    cross join lateral (select from lineshaft.lease l where l.id = o.lease limit 1 for update) l
  ) held;
end
$$;

-- Takes jobs whose rows are locked by the caller out of wherever they wait; returns those that waited. As unplace, for many.
create function lineshaft.unplace_all(ids uuid[])
returns uuid[] language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  left_over uuid[] := ids;
  found_ids uuid[] := '{}';
  part uuid[];
begin
  -- Where it waits is looked up for each: plans are made once, perhaps while the tables are empty. Ready comes twice, since
  -- a promoter may have moved one between the two looks.
  for look in 1..3 loop
    exit when cardinality(left_over) = 0;
    if look = 2 then
      with gone as (
        delete from lineshaft.later w
        where w.ctid = any (array(
          select w.ctid
          from unnest(left_over) as t (id)
          cross join lateral (select j.due, j.seq, j.id from lineshaft.job j where j.id = t.id limit 1) j
          cross join lateral (
            select w.ctid from lineshaft.later w where w.due = j.due and w.seq = j.seq and w.job_id = j.id limit 1
          ) w
        ))
        returning w.job_id
      )
      select array_agg(g.job_id) into part from gone g;
    else
      with gone as (
        delete from lineshaft.ready r
        where r.ctid = any (array(
          select r.ctid
          from unnest(left_over) as t (id)
          cross join lateral (
            select j.lane, j.priority, j.due, j.seq, j.id from lineshaft.job j where j.id = t.id limit 1
          ) j
          cross join lateral (
            select r.ctid
            from lineshaft.ready r
            where r.lane = j.lane and r.priority = j.priority and r.due = j.due and r.seq = j.seq and r.job_id = j.id
            limit 1
          ) r
        ))
        returning r.job_id
      )
      select array_agg(g.job_id) into part from gone g;
    end if;
    continue when part is null;
    found_ids := found_ids || part;
    left_over := array(select unnest(left_over) except select unnest(part));
  end loop;
  if cardinality(left_over) > 0 then
    with from_blocked as (
      delete from lineshaft.blocked b where b.job_id = any (left_over) returning b.job_id
    ),
    from_dead as (
      delete from lineshaft.dead d where d.job_id = any (left_over) returning d.job_id
    )
    select array_agg(g.job_id) into part
    from (select b.job_id from from_blocked b union all select d.job_id from from_dead d) g;
    found_ids := found_ids || coalesce(part, '{}');
  end if;
  return found_ids;
end
$$;

-- Ends the leases of jobs that are with the row `remote`; returns those of them that were. A lease that somebody else has
-- locked, which the caller did not know of when he locked leases, is left: who takes lapsed jobs back deletes it.
create function lineshaft.drop_remote(ids uuid[])
returns uuid[] language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  polled uuid[];
begin
  with mine as materialized (
    select p.job_id, l.id as lease
    from unnest(ids) as t (id)
    cross join lateral (select p.job_id, p.lease from lineshaft.job_lease p where p.job_id = t.id and p.worker = 0 limit 1) p
    left join lateral (
      select l.id from lineshaft.lease l where l.id = p.lease limit 1 for update skip locked
    ) l on true
  ),
  ended as (
    delete from lineshaft.lease l where l.id = any (array(select m.lease from mine m where m.lease is not null))
  ),
  dropped as (
    delete from lineshaft.job_lease p where p.job_id = any (array(select m.job_id from mine m where m.lease is not null))
  )
  select array_agg(m.job_id) into polled from mine m;
  return coalesce(polled, '{}');
end
$$;

-- Tells waiters which jobs have finished; does nothing where nobody waits.
create function lineshaft.announce(ids uuid[])
returns void language plpgsql as $$
begin
  if cardinality(ids) > 0 and exists (select from lineshaft.waiter where until > now()) then
    perform pg_notify('lineshaft',
      case when cardinality(ids) <= 200 then 'd' || array_to_string(ids, ',') else 'd' end);
  end if;
end
$$;

-- Takes the unique key of a dead letter for its new life. False where another job has the key.
create function lineshaft.retake_key(j lineshaft.job)
returns boolean language plpgsql as $$
declare
  of_key text := j.options #>> '{unique,key}';
begin
  if of_key is null then
    return true;
  end if;
  insert into lineshaft.unique_key as u (project_id, key, job_id, states, keep_ms)
  select q.project_id, of_key, j.id, lineshaft.state_bits(j.options #> '{unique,states}'),
    coalesce((j.options #>> '{unique,keepMs}')::bigint, 3600000)
  from lineshaft.lane l join lineshaft.queue q on q.id = l.queue_id where l.id = j.lane
  on conflict (project_id, key) do update
    set job_id = excluded.job_id, states = excluded.states, keep_ms = excluded.keep_ms, until = null
    where u.until <= clock_timestamp() or u.job_id = excluded.job_id;
  return found;
end
$$;

-- Takes the keys of jobs that wait again after they were claimed: keys that cover only waiting, which the claim has
-- freed. Never in the way of the job: where another job has the key by now, or somebody's open transaction is about to
-- take it, the job goes on without it.
create function lineshaft.retake_waiting_keys(ids uuid[])
returns void language plpgsql as $$
declare
  j lineshaft.job;
  patience text := current_setting('lock_timeout');
begin
  for j in
    select k.* from lineshaft.job k
    where k.id = any (ids) and k.options #>> '{unique,key}' is not null
      and lineshaft.state_bits(k.options #> '{unique,states}') & 30 = 0
    order by k.options #>> '{unique,key}' collate "C", k.id
  loop
    begin
      perform set_config('lock_timeout', '50ms', true);
      perform lineshaft.retake_key(j);
      perform set_config('lock_timeout', patience, true);
    exception when lock_not_available then
      -- What was set in this block is undone with it.
      null;
    end;
  end loop;
end
$$;

-- Gives dead letters new attempts, and lets blocked and scheduled jobs go at once.
-- Returns per id: retried, ready (it was); nothing was changed: running, finished, key-taken (another job has its
-- unique key), unknown.
create function lineshaft.retry(ids uuid[])
returns table (id uuid, result text) language plpgsql as $$
#variable_conflict use_column
declare
  j lineshaft.job;
  place text;
  target uuid;
  queues bigint[] := '{}';
begin
  for target in select distinct t from unnest(ids) t order by t loop
    select * into j from lineshaft.job where lineshaft.job.id = target for update;
    if not found then
      id := target;
      result := case when exists (select from lineshaft.history h where h.id_span @> target and target = any (h.ids))
        then 'finished' else 'unknown' end;
      return next;
      continue;
    end if;
    if exists (select from lineshaft.dead d where d.job_id = target) and not lineshaft.retake_key(j) then
      id := target;
      result := 'key-taken';
      return next;
      continue;
    end if;
    place := lineshaft.unplace(j);
    id := target;
    result := case place when 'running' then 'running' when 'ready' then 'ready' else 'retried' end;
    if place <> 'running' then
      update lineshaft.job
      set fence = fence + 1, due = case when place = 'ready' then due else clock_timestamp() end,
        attempt = case when place = 'dead' then 0 else attempt end,
        rescued = case when place = 'dead' then 0 else rescued end
      where lineshaft.job.id = target
      returning * into j;
      insert into lineshaft.ready (due, seq, lane, priority, job_id) values (j.due, j.seq, j.lane, j.priority, target);
      if j.lane < 0 then
        perform lineshaft.open_lanes(array[j.lane]);
      end if;
      queues := queues || (select l.queue_id from lineshaft.lane l where l.id = j.lane);
    end if;
    return next;
  end loop;
  perform lineshaft.wake(queues, false, 'always');
end
$$;

-- Frees the unique key that a finished job has kept: nothing is left that it could stand for.
create function lineshaft.release_kept_key(of_lane integer, of_key text, holder uuid)
returns void language sql as $$
  delete from lineshaft.unique_key u
  using lineshaft.lane l join lineshaft.queue q on q.id = l.queue_id
  where l.id = of_lane and u.project_id = q.project_id and u.key = of_key and u.job_id = holder
$$;

-- Removes jobs without a trace, with their unique keys. Returns per id: deleted, running (cancel it first; nothing was
-- changed) or unknown.
create function lineshaft.remove(ids uuid[])
returns table (id uuid, result text) language plpgsql as $$
#variable_conflict use_column
declare
  j lineshaft.job;
  target uuid;
  place integer;
  kept record;
  entry json;
  freed lineshaft.freed[] := '{}';
begin
  for target in select distinct t from unnest(ids) t order by t loop
    id := target;
    select * into j from lineshaft.job where lineshaft.job.id = target for update;
    if found then
      if lineshaft.unplace(j) = 'running' then
        result := 'running';
      else
        delete from lineshaft.job where lineshaft.job.id = target;
        perform lineshaft.release_key(j, 0::smallint);
        if lineshaft.is_of_steps(j.lane) then
          perform lineshaft.mark_step(target, jsonb_build_object(
            'type', 'reported', 'status', 'CANCELED', 'output', '{}'::jsonb, 'merge', true, 'reason', 'its job was removed'));
        end if;
        if j.lane < 0 then
          freed := freed || (j.lane, null, 'g', array[target])::lineshaft.freed;
        end if;
        result := 'deleted';
      end if;
    else
      -- Others may be at work on the same row: lock it, then look again.
      select h.tableoid as part, h.ctid as at, h.ids, h.entries, h.finished_at into kept
      from lineshaft.history h
      where h.id_span @> target and target = any (h.ids)
      limit 1
      for update;
      if not found then
        result := 'unknown';
        return next;
        continue;
      end if;
      place := array_position(kept.ids, target);
      entry := split_part(kept.entries, e'\n', place)::json;
      perform lineshaft.release_kept_key((entry ->> 0)::integer, entry #>> '{9,options,unique,key}', target);
      if cardinality(kept.ids) = 1 then
        delete from lineshaft.history h
        where h.finished_at = kept.finished_at and h.tableoid = kept.part and h.ctid = kept.at;
      else
        update lineshaft.history h
        set ids = array_remove(kept.ids, target),
          entries = (
            select string_agg(e.line, e'\n' order by e.n)
            from unnest(string_to_array(kept.entries, e'\n')) with ordinality as e (line, n)
            where e.n <> place
          )
        where h.finished_at = kept.finished_at and h.tableoid = kept.part and h.ctid = kept.at;
      end if;
      result := 'deleted';
    end if;
    return next;
  end loop;
  perform lineshaft.release(freed);
end
$$;

-- Gives back the jobs of a worker whose lease has run out: locks the worker and its leases first, and only then
-- looks which of their jobs still exist, so that a job completed in the meantime is never revived.
-- Returns how many went back and how many are dead now (rescued `max_rescues` times), and the jobs' ids.
create function lineshaft.rescue(of_worker bigint, max_rescues integer, out returned integer, out buried integer, out job_ids uuid[])
language plpgsql as $$
declare
  dying lineshaft.worker;
  one lineshaft.lease;
begin
  returned := 0;
  buried := 0;
  job_ids := '{}';
  select * into dying from lineshaft.worker w where w.id = of_worker and w.lease_until < clock_timestamp()
  for update skip locked;
  if not found then
    return;
  end if;
  for one in select * from lineshaft.lease l where l.worker = of_worker order by l.id for update loop
    job_ids := job_ids || lineshaft.rescue_lease(one, max_rescues, format('worker %s died', dying.worker_id));
  end loop;
  delete from lineshaft.lease l where l.worker = of_worker;
  delete from lineshaft.worker w where w.id = of_worker;
  select a.returned, a.buried into returned, buried from lineshaft.after_rescue(job_ids) a;
end
$$;

-- What goes with a rescue: unique keys that cover waiting, wakes, and how many of the jobs wait again or are dead now.
create function lineshaft.after_rescue(ids uuid[], out returned integer, out buried integer)
language plpgsql as $$
declare
  queues bigint[];
begin
  perform lineshaft.retake_waiting_keys(array(
    select t.id from unnest(ids) as t (id) where not exists (select from lineshaft.dead d where d.job_id = t.id)
  ));
  perform lineshaft.release_moved(ids);
  select count(*) filter (where d.job_id is not null), count(*) filter (where d.job_id is null),
    array_agg(distinct l.queue_id) filter (where d.job_id is null)
  into buried, returned, queues
  from lineshaft.job j
  join lineshaft.lane l on l.id = j.lane
  left join lineshaft.dead d on d.job_id = j.id
  where j.id = any (ids);
  perform lineshaft.wake(coalesce(queues, '{}'), false, 'always');
end
$$;

-- Gives back the room of jobs that ran and were put elsewhere in this transaction, and opens the lanes of those that
-- are ready.
create function lineshaft.release_moved(ids uuid[])
returns void language plpgsql as $$
declare
  freed lineshaft.freed[];
begin
  select array_agg((j.lane, j.costs, case when d.job_id is null then 's' else 'e' end, array[j.id])::lineshaft.freed) into freed
  from lineshaft.job j
  left join lineshaft.dead d on d.job_id = j.id
  where j.id = any (ids) and j.lane < 0;
  if freed is not null then
    perform lineshaft.open_lanes(array(select distinct f.lane from unnest(freed) f where f.how = 's'));
    perform lineshaft.release(freed);
  end if;
end
$$;

create function lineshaft.rescue_lease(one lineshaft.lease, max_rescues integer, what text)
returns uuid[] language plpgsql as $$
declare
  j lineshaft.job;
  moved uuid[] := '{}';
  why jsonb;
begin
  for j in
    select k.* from lineshaft.job k
    where k.id = any (one.job_ids) and case
      when (k.id, k.fence) in (select r.id, r.fence from unnest(one.job_ids, one.fences) as r (id, fence)) then true
    end
    order by k.id
    for update
  loop
    moved := moved || j.id;
    why := jsonb_build_object(
      'name', 'LineshaftError', 'code', 'WORKER_POISONED', 'attempt', j.attempt + 1, 'at', clock_timestamp(),
      'message', format('%s while it ran this job (rescue %s of %s)', what, j.rescued + 1, max_rescues)
    );
    if j.rescued > 0 and j.rescued + 1 >= max_rescues and j.id <> all (one.suspects) then
      -- It had not started: the death of its worker says nothing of it.
      update lineshaft.job set fence = fence + 1 where id = j.id;
      insert into lineshaft.ready (due, seq, lane, priority, job_id) values (j.due, j.seq, j.lane, j.priority, j.id);
    elsif j.rescued + 1 >= max_rescues and lineshaft.is_of_steps(j.lane) then
      delete from lineshaft.job where id = j.id;
      if j.lane < 0 then
        perform lineshaft.release(array[(j.lane, j.costs, 'e', array[j.id])::lineshaft.freed]);
      end if;
      perform lineshaft.mark_step(j.id, jsonb_build_object('type', 'reported', 'status', 'FAILED_WITH_TERMINAL_ERROR',
        'output', '{}'::jsonb, 'merge', true, 'reason', why ->> 'message'));
    elsif j.rescued + 1 >= max_rescues then
      update lineshaft.job set fence = fence + 1, rescued = rescued + 1, errors = lineshaft.append_error(errors, why)
      where id = j.id;
      insert into lineshaft.dead (job_id, lane, reason, expires_at)
      values (j.id, j.lane, 'poison', now() + lineshaft.retention_of(j, 'failedMs') * interval '1 millisecond');
      perform lineshaft.release_key(j, 8::smallint);
      perform lineshaft.announce(array[j.id]);
    else
      update lineshaft.job set fence = fence + 1, rescued = rescued + 1 where id = j.id;
      insert into lineshaft.ready (due, seq, lane, priority, job_id) values (j.due, j.seq, j.lane, j.priority, j.id);
    end if;
  end loop;
  return moved;
end
$$;

-- Puts the jobs of leases back that their own worker does not know of. Nobody has run them. `lease_ids`: null for all.
create function lineshaft.return_leases(of_worker bigint, lease_ids bigint[])
returns integer language plpgsql as $$
declare
  one lineshaft.lease;
  queues bigint[];
  moved integer := 0;
  n integer;
  keyed uuid[] := '{}';
  part uuid[];
begin
  for one in
    select * from lineshaft.lease l
    where l.worker = of_worker and (lease_ids is null or l.id = any (lease_ids))
    order by l.id
    for update
  loop
    with back as (
      update lineshaft.job j set fence = j.fence + 1
      where j.id = any (one.job_ids) and case
        when (j.id, j.fence) in (select r.id, r.fence from unnest(one.job_ids, one.fences) as r (id, fence)) then true
      end
      returning j.id, j.due, j.seq, j.lane, j.priority
    ),
    placed as (
      insert into lineshaft.ready (due, seq, lane, priority, job_id)
      select b.due, b.seq, b.lane, b.priority, b.id from back b
    )
    select count(*), queues || array_agg(distinct l.queue_id), array_agg(b.id) filter (where b.lane < 0) into n, queues, part
    from back b join lineshaft.lane l on l.id = b.lane;
    moved := moved + n;
    keyed := keyed || coalesce(part, '{}');
    delete from lineshaft.lease l where l.id = one.id;
    perform lineshaft.retake_waiting_keys(one.job_ids);
  end loop;
  perform lineshaft.release_moved(keyed);
  perform lineshaft.wake(coalesce(queues, '{}'), false, 'always');
  return moved;
end
$$;

create function lineshaft.append_error(kept jsonb, next jsonb)
returns jsonb language sql immutable as $$
  select case when jsonb_array_length(coalesce(kept, '[]')) < 10 then coalesce(kept, '[]') || next
    else (kept - 1) || next end
$$;

-- Leadership under a name: takes it when nobody holds it or its holder was silent for too long, renews it for its holder.
-- The row is locked only by who may change it, and never waited for: a leader's own write may hold it (demand_term).
-- Returns the term, null while another leads; and for how long that is sure, in ms (0 or less: not any more).
create function lineshaft.lead(what text, by_worker bigint, lease_ms integer, out term bigint, out left_ms double precision)
language plpgsql as $$
#variable_conflict use_column
declare
  held lineshaft.leader;
  ends timestamptz := clock_timestamp() + lease_ms * interval '1 millisecond';
begin
  select * into held from lineshaft.leader l where l.name = what;
  if not found then
    insert into lineshaft.leader (name, worker, until) values (what, by_worker, ends) on conflict do nothing;
    select * into held from lineshaft.leader l where l.name = what;
  elsif held.worker = by_worker or held.until < clock_timestamp() then
    perform from lineshaft.leader l
    where l.name = what and l.worker = held.worker and l.term = held.term
      and (l.worker = by_worker or l.until < clock_timestamp())
    for no key update skip locked;
    if found then
      update lineshaft.leader l
      set worker = by_worker, until = ends, term = l.term + case when l.worker = by_worker then 0 else 1 end
      where l.name = what;
    end if;
    select * into held from lineshaft.leader l where l.name = what;
  end if;
  term := case when held.worker = by_worker then held.term end;
  left_ms := extract(epoch from held.until - clock_timestamp()) * 1000;
end
$$;

-- The fence of what a leader writes: raises LEADERSHIP_LOST unless the term is still that of the leader, which undoes
-- the statement, or the transaction, that it is part of. Until that ends nobody else can be elected; so it must be short.
create function lineshaft.demand_term(what text, of_term bigint)
returns boolean language plpgsql as $$
begin
  perform from lineshaft.leader l where l.name = what and l.term = of_term for share;
  if not found then
    perform lineshaft.fail('LS409', 'LEADERSHIP_LOST', format('term %s of leader %L is over, nothing was changed', of_term, what));
  end if;
  return true;
end
$$;

-- Makes the history partition of a day (UTC), if it is missing. Safe when several do it at once.
create function lineshaft.make_history_partition(day date)
returns boolean language plpgsql as $$
declare
  part text := 'history_' || to_char(day, 'YYYYMMDD');
begin
  perform pg_advisory_xact_lock(hashtextextended('lineshaft.partition', 0));
  if to_regclass(format('lineshaft.%I', part)) is not null then
    return false;
  end if;
  execute format(
    'create table lineshaft.%I partition of lineshaft.history for values from (%L) to (%L)',
    part, day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC'
  );
  return true;
end
$$;
select lineshaft.make_history_partition((now() at time zone 'UTC')::date + n) from generate_series(-1, 7) n;

-- Until the end of this transaction nothing more goes into the inbox, and what went in is seen. By short attempts, since
-- whoever wants to put something in waits behind each of them. False: somebody's transaction stays open.
create function lineshaft.lock_inbox()
returns boolean language plpgsql as $$
begin
  for attempt in 1..20 loop
    begin
      perform set_config('lock_timeout', '50ms', true);
      lock table lineshaft.inbox in share row exclusive mode;
      perform set_config('lock_timeout', '0', true);
      return true;
    exception when lock_not_available then
      perform pg_sleep(0.05);
    end;
  end loop;
  return false;
end
$$;

-- Deletes a queue; with its jobs if they are to be purged. Running jobs hold it either way, and so does, after a few
-- seconds, somebody's open transaction that has put jobs into it (see hold_queue).
create function lineshaft.delete_queue(of_queue bigint, purge boolean)
returns text language plpgsql as $$
declare
  of_lanes integer[];
  freed lineshaft.freed[];
begin
  begin
    perform set_config('lock_timeout', '2s', true);
    perform pg_advisory_xact_lock(-7, (of_queue % 2000000000)::integer);
    perform from lineshaft.queue q where q.id = of_queue for update;
  exception when lock_not_available then
    return 'not-empty';
  end;
  perform set_config('lock_timeout', '0', true);
  if exists (select from lineshaft.queue q where q.id = of_queue and q.steps) then
    perform lineshaft.fail('LS409', 'QUEUE_OF_STEPS', 'the queue of the steps of workflows cannot be deleted',
      'pause it, or terminate the runs whose steps wait in it');
  end if;
  -- Without a purge nothing may be lost; with one, what is on its way to the queue goes with it.
  if not purge and not lineshaft.lock_inbox() then
    return 'not-empty';
  end if;
  perform lineshaft.take_in(1000000);
  of_lanes := array(select l.id from lineshaft.lane l where l.queue_id = of_queue);
  if exists (
    select from lineshaft.lease e cross join lateral unnest(e.job_ids, e.fences) as h (id, fence)
    join lineshaft.job k on k.id = h.id and k.fence = h.fence where k.lane = any (of_lanes)
  ) then
    return 'not-empty';
  end if;
  if not purge and exists (select from lineshaft.job j where j.lane = any (of_lanes)) then
    return 'not-empty';
  end if;
  perform lineshaft.release_key(j, 0::smallint) from lineshaft.job j
  where j.lane = any (of_lanes) and j.options #>> '{unique,key}' is not null;
  delete from lineshaft.ready r where r.lane = any (of_lanes);
  delete from lineshaft.later w where w.lane = any (of_lanes);
  delete from lineshaft.blocked b where b.lane = any (of_lanes);
  delete from lineshaft.dead d where d.lane = any (of_lanes);
  with gone as (
    delete from lineshaft.job j where j.lane = any (of_lanes) returning j.id, j.lane
  )
  select array_agg((g.lane, null, 'g', array[g.id])::lineshaft.freed) into freed from gone g where g.lane < 0;
  delete from lineshaft.turn t where t.lane = any (of_lanes);
  delete from lineshaft.parked k where k.lane = any (of_lanes);
  perform lineshaft.release(freed);
  delete from lineshaft.queue q where q.id = of_queue;
  perform pg_notify('lineshaft', 'q');
  return 'deleted';
end
$$;

-- Partitions of history whose day is over and in which no row is to be kept any longer: `attached`; `detaching` where
-- that was begun and not ended; `detached` where only the table is left. At most one can be detaching; it comes first.
create function lineshaft.expired_partitions()
returns table (name text, day date, state text) language plpgsql as $$
declare
  part record;
  alive boolean;
begin
  for part in
    select c.relname, to_date(right(c.relname, 8), 'YYYYMMDD') as of_day, i.inhdetachpending as pending
    from pg_class c
    left join pg_inherits i on i.inhrelid = c.oid and i.inhparent = 'lineshaft.history'::regclass
    where c.relnamespace = 'lineshaft'::regnamespace and c.relkind = 'r' and c.relname ~ '^history_\d{8}$'
    order by i.inhdetachpending desc nulls last, c.relname
  loop
    alive := false;
    if not part.pending then
      continue when part.of_day >= (now() at time zone 'UTC')::date - 1;
      execute format('select exists (select from lineshaft.%I where expires_at > now())', part.relname) into alive;
    end if;
    if not alive then
      name := part.relname;
      day := part.of_day;
      state := case when part.pending is null then 'detached' when part.pending then 'detaching' else 'attached' end;
      return next;
    end if;
  end loop;
end
$$;
