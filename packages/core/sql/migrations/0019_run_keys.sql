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
-- died, or is starting it now: it is free after a minute, and at once for the same parent, which decides again.
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
      and (k.claimed_by = excluded.claimed_by or k.claimed_at < clock_timestamp() - interval '1 minute'))
  returning k.run_id into holder;
  if holder is null then
    select k.run_id into holder from lineshaft.run_key k where k.workflow = of_workflow and k.key = of_key;
  end if;
  return holder;
end
$$;
