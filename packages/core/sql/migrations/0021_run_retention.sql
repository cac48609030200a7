-- Forgetting runs that have ended: what the pruner does by age and by number.
-- Lock cost: new objects.

-- Removes runs of a name that have ended: before `ended_before`, or made no later than (`made_until`, `until_id`); the oldest
-- first, at most `most_runs`, and no more once they have `most_steps` steps. Left alone are runs in steps of runs that go on.
-- Returns how many were removed, and whether there may be more.
-- Locks: the runs, none that is waited for; then as remove_run. Index: run_by_name, run_pkey.
create function lineshaft.prune_runs(
  of_name text, ended_before timestamptz, made_until timestamptz, until_id uuid, most_runs integer, most_steps bigint
)
returns table (removed integer, more boolean) language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  chosen uuid[];
  gone uuid;
begin
  removed := 0;
  chosen := array(
    select c.id
    from (
      select r.id, r.created_at, sum(r.next_seq) over (order by r.created_at, r.id) - r.next_seq as steps_before
      from (values ('COMPLETED'), ('FAILED'), ('TERMINATED'), ('TIMED_OUT')) as s (status)
      cross join lateral (
        select r.id, r.created_at, r.next_seq
        from lineshaft.run r
        where r.name = of_name and r.status = s.status and r.created_at <= greatest(ended_before, made_until)
          and (r.ended_at < ended_before or (r.created_at, r.id) <= (made_until, until_id))
          and not exists (select from lineshaft.run p where p.id = r.parent_run and p.ended_at is null)
        order by r.created_at, r.id
        limit most_runs
      ) r
    ) c
    where c.steps_before < most_steps
    order by c.created_at, c.id
    limit most_runs
  );
  -- One that goes on again meanwhile is left alone.
  for gone in
    select r.id from lineshaft.run r where r.id = any (chosen) and r.ended_at is not null for update skip locked
  loop
    perform lineshaft.remove_run(gone);
    removed := removed + 1;
  end loop;
  more := removed > 0 and cardinality(chosen) > 0;
  return next;
end
$$;

-- Forgets what no run has been started with any more. Those who start a run write what it was started with where it is not
-- there, in the transaction of the run: while the table is locked none of them is under way, and what the look after that
-- does not find in use is not.
-- Returns how many. Locks: the table, against who starts runs, for at most 200 ms and the time of the deletion, and only
-- where there is something to delete. Index: run_definition_used.
create function lineshaft.prune_run_definitions(most integer)
returns integer language plpgsql set lock_timeout = '200ms' as $$
declare
  unused text[];
  removed integer;
begin
  unused := array(
    select d.hash
    from lineshaft.run_definition d
    where d.created_at < now() - interval '1 hour' and not exists (select from lineshaft.run r where r.definition = d.hash)
    limit most
  );
  if cardinality(unused) = 0 then
    return 0;
  end if;
  lock table lineshaft.run_definition in share row exclusive mode;
  delete from lineshaft.run_definition d
  where d.hash = any (unused) and not exists (select from lineshaft.run r where r.definition = d.hash);
  get diagnostics removed = row_count;
  return removed;
exception when lock_not_available then
  -- The next pass tries again.
  return 0;
end
$$;
