-- Limits of how many runs of a workflow go at once (`rateLimitConfig`): who is under way, and who stands in line.
-- Lock cost: new objects.

-- A key of a workflow under which runs are under way or stand in line: how many are under way. Whoever changes one of its
-- places locks it first; those who change several lock them in the order of the primary key.
create table lineshaft.run_limit (
  workflow text not null,
  key text not null,
  held integer not null check (held >= 0),
  primary key (workflow, key)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

-- The place of a run, from when it asks for it until it ends.
create table lineshaft.run_slot (
  run_id uuid primary key,
  workflow text not null,
  key text not null,
  -- So many may be under way for it to be admitted, as its definition says.
  most integer not null check (most >= 1),
  -- In the line of its key.
  place bigint generated always as identity,
  admitted boolean not null
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
create index run_slot_line on lineshaft.run_slot (workflow, key, place) where not admitted;

-- Gives and takes places. `slots`, for the run in the same place each: {workflow, key, most, full}, or {} where a place is only
-- given back; see apply_runs and workflow/slot-change.ts. Who had a place gives it back, those who stand in line
-- longest are admitted, then those who ask now, in their order. Who is admitted, or not to go at all, hears so by a mark.
-- Returns the runs for which there is no room and whose `full` is `refuse`; then nothing was changed. Null: all is done.
-- Locks: the keys in their order; the runs are locked by the caller.
create function lineshaft.take_slots(ids uuid[], slots json[])
returns uuid[] language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  asked record;
  refused uuid[] := '{}';
begin
  insert into lineshaft.run_limit (workflow, key, held)
  select k.workflow, k.key, 0
  from (
    select w.slot ->> 'workflow' as workflow, w.slot ->> 'key' as key
    from unnest(slots) as w (slot)
    where w.slot ->> 'most' is not null
    union
    select s.workflow, s.key from unnest(ids) as w (id) join lineshaft.run_slot s on s.run_id = w.id
  ) k
  order by k.workflow, k.key
  on conflict (workflow, key) do update set held = run_limit.held;
  begin
    perform lineshaft.give_back_slot(w.id) from unnest(ids) as w (id);
    for asked in
      select w.id, w.slot ->> 'workflow' as workflow, w.slot ->> 'key' as key, (w.slot ->> 'most')::integer as most,
        w.slot ->> 'full' as if_full
      from unnest(ids, slots) with ordinality as w (id, slot, place)
      where w.slot ->> 'most' is not null
      order by w.place
    loop
      if not exists (
        select from lineshaft.run_slot s where s.workflow = asked.workflow and s.key = asked.key and not s.admitted
      ) then
        update lineshaft.run_limit l set held = l.held + 1
        where l.workflow = asked.workflow and l.key = asked.key and l.held < asked.most;
        if found then
          insert into lineshaft.run_slot (run_id, workflow, key, most, admitted)
          values (asked.id, asked.workflow, asked.key, asked.most, true);
          insert into lineshaft.mark (run_id, event, orphan) values (asked.id, '{"type":"admitted"}', true);
          continue;
        end if;
      end if;
      case asked.if_full
        when 'refuse' then refused := refused || asked.id;
        when 'end' then
          insert into lineshaft.mark (run_id, event, orphan) values (asked.id, '{"type":"rejected"}', true);
        else
          insert into lineshaft.run_slot (run_id, workflow, key, most, admitted)
          values (asked.id, asked.workflow, asked.key, asked.most, false);
      end case;
    end loop;
    if cardinality(refused) > 0 then
      raise exception 'no room' using errcode = 'LS429';
    end if;
  exception when sqlstate 'LS429' then
    return refused;
  end;
  return null;
end
$$;

-- Gives back the place of a run, admitted or in line, and admits those who stand in line for it. Its key is locked here, which
-- is nothing new for take_slots. Returns whether there was one.
create function lineshaft.give_back_slot(of_run uuid)
returns boolean language plpgsql as $$
declare
  had lineshaft.run_slot;
  waiter record;
begin
  select s.* into had from lineshaft.run_slot s where s.run_id = of_run;
  if not found then
    return false;
  end if;
  perform 1 from lineshaft.run_limit l where l.workflow = had.workflow and l.key = had.key for update;
  -- It may have been admitted while the lock was waited for.
  delete from lineshaft.run_slot s where s.run_id = of_run returning s.* into had;
  if had.admitted then
    update lineshaft.run_limit l set held = l.held - 1 where l.workflow = had.workflow and l.key = had.key;
  end if;
  loop
    select s.run_id, s.most into waiter
    from lineshaft.run_slot s
    where s.workflow = had.workflow and s.key = had.key and not s.admitted
    order by s.place
    limit 1;
    exit when not found;
    update lineshaft.run_limit l set held = l.held + 1
    where l.workflow = had.workflow and l.key = had.key and l.held < waiter.most;
    exit when not found;
    update lineshaft.run_slot s set admitted = true where s.run_id = waiter.run_id;
    insert into lineshaft.mark (run_id, event, orphan) values (waiter.run_id, '{"type":"admitted"}', true);
  end loop;
  return true;
end
$$;
