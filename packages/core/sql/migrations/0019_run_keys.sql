-- Idempotency keys of runs: which run has a key of a workflow. The primary key decides between callers that race.
-- Lock cost: new objects; one function made anew.
create table lineshaft.run_key (
  workflow text not null,
  key text not null,
  run_id uuid not null,
  -- The run that starts it, of a run that a step starts.
  claimed_by uuid,
  claimed_at timestamptz not null default clock_timestamp(),
  primary key (workflow, key)
);

-- Takes a key for a run that is about to start. Returns who has it then: the given run, or the one that had it before.
-- `anew`: a run that has ended gives it up (FAIL_ON_RUNNING). A key whose run is not there was claimed by somebody who
-- died, or is starting it now: it is free after 10 s, and at once for the same parent, which decides again.
create function lineshaft.claim_run_key(of_workflow text, of_key text, of_run uuid, parent uuid, anew boolean)
returns uuid language plpgsql as $$
declare
  holder uuid;
begin
  insert into lineshaft.run_key as k (workflow, key, run_id, claimed_by)
  values (of_workflow, of_key, of_run, parent)
  on conflict (workflow, key) do update
  set run_id = excluded.run_id, claimed_by = excluded.claimed_by, claimed_at = clock_timestamp()
  where k.run_id = excluded.run_id
    or (anew and exists (select from lineshaft.run r where r.id = k.run_id and r.ended_at is not null))
    or (not exists (select from lineshaft.run r where r.id = k.run_id)
      and (k.claimed_by = excluded.claimed_by or k.claimed_at < clock_timestamp() - interval '10 seconds'))
  returning k.run_id into holder;
  if holder is null then
    select k.run_id into holder from lineshaft.run_key k where k.workflow = of_workflow and k.key = of_key;
  end if;
  return holder;
end
$$;

-- Makes the keys of runs that are written now theirs for good. Fails where another run has taken one meanwhile, since its starter
-- was away for too long: then this run must not start. Runs as in start_runs. Locks: the rows of the keys.
create function lineshaft.keep_run_keys(ids uuid[], revisions integer[], mores json[])
returns void language plpgsql as $$
declare
  late uuid;
begin
  with given as materialized (
    select w.id, w.more ->> 'name' as name, w.more ->> 'idempotency' as key
    from unnest(ids, revisions, mores) as w (id, revision, more)
    where w.revision = 0 and w.more ->> 'idempotency' <> ''
  ),
  kept as (
    insert into lineshaft.run_key as k (workflow, key, run_id, claimed_at)
    select g.name, g.key, g.id, 'infinity' from given g order by g.name, g.key
    on conflict (workflow, key) do update set claimed_at = excluded.claimed_at where k.run_id = excluded.run_id
    returning k.run_id
  )
  select g.id into late from given g where not exists (select from kept k where k.run_id = g.id) limit 1;
  if found then
    raise exception 'run ''%'' took too long to start: another one has its idempotency key', late using
      errcode = 'LS409', hint = 'make the call again',
      detail = json_build_object('code', 'RUN_BUSY', 'runId', late);
  end if;
end
$$;
