-- Workflows: their definitions, their runs with the steps, and the marks of what has happened to runs.
-- Lock cost: new objects; one row in the small table queue.
-- docs/internals/tables.md tells why the tables are cut as they are.

-- Definitions as they were given: `json`, so that they are given back with the same spelling and order.
create table lineshaft.workflow_definition (
  name text not null,
  version integer not null check (version >= 1),
  definition json not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (name, version)
);
create table lineshaft.task_definition (
  name text primary key,
  definition json not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

-- Grows with each change of a definition: who keeps definitions in memory asks for it, and for nothing else while it is
-- the same. One row.
create table lineshaft.definition_stamp (changes bigint not null);
insert into lineshaft.definition_stamp (changes) values (1);
create function lineshaft.stamp_definitions()
returns trigger language plpgsql as $$
begin
  update lineshaft.definition_stamp set changes = changes + 1;
  return null;
end
$$;
create trigger stamp after insert or update or delete on lineshaft.workflow_definition
  for each statement execute function lineshaft.stamp_definitions();
create trigger stamp after insert or update or delete on lineshaft.task_definition
  for each statement execute function lineshaft.stamp_definitions();

-- What runs do: a definition as it was when they started, with the task definitions of that time inside. Kept once for
-- all runs that have the same; never changed.
create table lineshaft.run_definition (
  hash text primary key,
  definition json not null,
  created_at timestamptz not null default now()
);

-- One row a run, small, since each change of the run writes it: what is large is in run_data. `revision` fences all
-- writes. No index on what changes often: updates stay on their page. No foreign keys here and below: each would lock and
-- look up a row for every row that is written, and whoever removes a run removes all of it (remove_run).
create table lineshaft.run (
  id uuid primary key,
  revision integer not null,
  status text not null,
  next_seq integer not null,
  -- When time alone may change something (time-outs, WAIT); null: never.
  wake_at timestamptz,
  -- In this revision steps were removed last: who knows an older one reads all anew.
  removed_in integer not null default 0,
  updated_at timestamptz not null,
  ended_at timestamptz,
  retried_at timestamptz,
  reason text,
  -- taskToDomain, reRunFrom, failedRefs, failedNames, where there is something to say.
  facts json,
  -- What follows stays as it was at the start; the definition changes where a run begins anew with the latest.
  definition text not null,
  name text not null,
  version integer not null,
  priority smallint not null default 0,
  correlation_id text,
  idempotency_key text,
  created_by text,
  event text,
  created_at timestamptz not null,
  parent_run uuid,
  parent_step uuid
) with (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 1);
create index run_wake on lineshaft.run (wake_at) where wake_at is not null;
create index run_alive on lineshaft.run (name, created_at) where ended_at is null;
create index run_correlated on lineshaft.run (name, correlation_id) where correlation_id is not null;
create index run_parent on lineshaft.run (parent_run) where parent_run is not null;
create index run_definition_used on lineshaft.run (definition);

-- The documents of a run: written when it starts, when variables are set, and when it ends.
create table lineshaft.run_data (
  run_id uuid primary key,
  input json not null,
  output json not null,
  variables json not null
);

-- One row for each instance of a step, in the order of `seq`; a new attempt is another row. A step that somebody must do
-- is a job with the same id in a queue of steps. `definition` is null where the definition of the run has it
-- (by ref, without the iteration).
create table lineshaft.step (
  run_id uuid not null,
  seq integer not null,
  id uuid not null,
  -- Of the run, when this row was last written.
  revision integer not null,
  ref text not null,
  iteration integer not null default 0,
  retry_count integer not null default 0,
  type text not null,
  name text not null,
  status text not null,
  scheduled_at timestamptz not null,
  started_at timestamptz,
  updated_at timestamptz not null,
  ended_at timestamptz,
  reason text,
  -- What else is not as it mostly is: see `StepFacts` in workflow/rows.ts.
  facts json,
  definition json,
  -- Objects; or arrays where they have values of other documents of the run: see the function document.
  input json not null,
  output json not null,
  primary key (run_id, seq)
) with (
  -- A step is written again when it ends, and has grown by then: room is left for that, so that it stays on its page and no
  -- index is written.
  fillfactor = 40,
  -- Documents of usual size are neither compressed nor moved out of the row.
  toast_tuple_target = 4080,
  autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 1
);
create unique index step_id on lineshaft.step (id);

-- Which steps the changes of large runs have written, a row a change, and of each run the last thousand or so: a process that
-- knows an older revision reads these steps, and not all. An index on the revision of steps would be written with each of
-- them, in all runs.
create table lineshaft.run_change (
  run_id uuid not null,
  -- That the change made.
  revision integer not null,
  seqs integer[] not null,
  primary key (run_id, revision)
) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

-- What has happened to a run and is not decided on yet: `event` is a RunEvent (domain/workflow/decision.ts). Only
-- inserted, by whoever saw it happen, and deleted by who has decided on it: no hot row, no lost mark.
create table lineshaft.mark (
  id bigint generated always as identity primary key,
  run_id uuid not null,
  -- Whose job has ended; null: of the run as a whole, or of a step that another run tells.
  step_id uuid,
  at timestamptz not null default clock_timestamp(),
  event json not null,
  -- Left by somebody who does not go on with the run himself.
  orphan boolean not null default false
) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
create index mark_run on lineshaft.mark (run_id);

-- Processes in which somebody waits for runs: while there is one, changes of runs are announced.
create unlogged table lineshaft.run_waiter (
  id uuid primary key,
  until timestamptz not null
);

-- Where steps wait for somebody to do them. Each attempt is a job of its own, which the run decides on.
insert into lineshaft.queue (project_id, name, steps, max_attempts) values (1, 'workflow', true, 1);

-- Writes what was decided about runs, all of it or nothing. It comes by columns, arrays of one length for each table: taking
-- objects apart would cost more than writing the rows. Documents come as json arrays, elements of which PostgreSQL hands on as
-- they are, also what it could not take apart (NUL). Times are in ms since 1970. Any group may be empty.
-- Runs: `run_ids`, `run_revisions` (that was read; 0: it is new), `run_statuses`, `run_nexts`, `run_wakes`, `run_updates`,
--   `run_ends`, `run_mores`: null, or what few changes have to say: {removed (steps are), retried, reason, facts, correlation, definition and
--   version where they are others by now, slot}; of new ones also {name, priority, idempotency, createdBy, event, created, parentRun, parentStep}.
-- `document_runs`, `run_inputs`, `run_outputs`, `run_variables`: the documents of these runs, null: as it was. `hashes`, `definitions`: that may be new.
-- New steps: `new_runs`, `new_seqs`, `new_revisions`, `new_ids`, `new_refs`, `new_types`, `new_names`, `new_iterations`, `new_retries`,
--   `new_statuses`, `new_scheduled`, `new_started`, `new_updated`, `new_ended`, `new_reasons`, `new_facts`, `new_inputs`,
--   `new_outputs`, `new_definitions` (null: the run's has it), `new_events` (what EVENT steps send; null: there is none).
-- Changed steps: the same under `old_`, without what never changes; inputs and outputs null: as they were.
-- `removed`: {run, seq}. `mark_runs`, `events`: marks for runs. `decided`: marks that are done with. `withdrawn`: steps whose
-- jobs nobody is to do. `again`: {id, delay}: jobs that wait again, in ms. `templates`, `template_of`, `job_ids`, `payloads`:
-- as enqueue_many. `leases`, `ended`, `fences`, `finished`: as end_steps. `parted`: runs of which documents are changed or removed
-- in which others may have values.
-- Rows are looked up one by one, by their place once their run is locked: a plan may be made while the tables are all but empty,
-- and is kept. Arrays are read element by element: one function that gives rows costs less than one for each column.
-- Returns the runs whose revision is another by now; or, after a nil id, those for which there is no room under the limit of
-- their workflow (`slot` of mores: see take_slots). Then nothing was written. Null: all is.
-- Locks: the runs in the order in which they are given (by id, everywhere), then keys of limits of runs, leases, jobs.
create function lineshaft.apply_runs(
  run_ids uuid[], run_revisions integer[], run_statuses text[], run_nexts integer[], run_wakes double precision[],
  run_updates double precision[], run_ends double precision[], run_mores json[],
  document_runs uuid[], run_inputs json[], run_outputs json[], run_variables json[], hashes text[], definitions json,
  new_runs uuid[], new_seqs integer[], new_revisions integer[], new_ids uuid[], new_refs text[], new_types text[],
  new_names text[], new_iterations integer[], new_retries integer[], new_statuses text[],
  new_scheduled double precision[], new_started double precision[], new_updated double precision[],
  new_ended double precision[], new_reasons text[], new_facts json[], new_inputs json[], new_outputs json[],
  new_definitions json[], new_events text[],
  old_runs uuid[], old_seqs integer[], old_revisions integer[], old_iterations integer[], old_retries integer[],
  old_statuses text[], old_scheduled double precision[], old_started double precision[],
  old_updated double precision[], old_ended double precision[], old_reasons text[], old_facts json[], old_inputs json[],
  old_outputs json[],
  removed json, mark_runs uuid[], events json, decided bigint[], withdrawn uuid[], again json,
  templates jsonb, template_of integer[], job_ids uuid[], payloads json,
  leases bigint[], ended uuid[], fences integer[], finished bigint[], parted uuid[]
)
returns uuid[] language plpgsql
-- For all that it calls, too.
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off
set enable_mergejoin = off set enable_memoize = off as $$
declare
  moved uuid[];
begin
  begin
    if not lineshaft.change_runs(
      run_ids, run_revisions, run_statuses, run_nexts, run_wakes, run_updates, run_ends, run_mores) then
      raise exception using errcode = 'LSMOV';
    end if;
    -- Of workflows with a limit alone.
    if position('"slot":{' in array_to_string(run_mores, '')) > 0 then
      select lineshaft.take_slots(array_agg(w.id order by w.place), array_agg(w.more -> 'slot' order by w.place)) into moved
      from unnest(run_ids, run_mores) with ordinality as w (id, more, place)
      where w.more ->> 'slot' is not null;
      if moved is not null then
        raise exception using errcode = 'LSMOV';
      end if;
    end if;
  exception when sqlstate 'LSMOV' then
    if moved is not null then
      return '00000000-0000-0000-0000-000000000000'::uuid || moved;
    end if;
    -- Where somebody wrote to its row without changing the run, it is tried again by who has asked.
    return (
      select coalesce(array_agg(w.id) filter (where w.moved), array_agg(w.id))
      from (
        select c.id, r.revision is distinct from c.revision as moved
        from unnest(run_ids, run_revisions) as c (id, revision)
        left join lateral (select t.revision from lineshaft.run t where t.id = c.id limit 1) r on true
        where c.revision > 0
      ) w
    );
  end;

  if cardinality(ended) > 0 then
    perform lineshaft.end_steps(leases, ended, fences, finished);
  end if;
  if cardinality(hashes) > 0 then
    insert into lineshaft.run_definition (hash, definition)
    select d.hash, d.definition
    from rows from (unnest(hashes), json_array_elements(definitions)) as d (hash, definition)
    on conflict (hash) do nothing;
  end if;
  if 0 = any (run_revisions) then
    perform lineshaft.start_runs(
      run_ids, run_revisions, run_statuses, run_nexts, run_wakes, run_updates, run_ends, run_mores);
  end if;
  if cardinality(parted) > 0 then
    perform lineshaft.part_documents(parted);
  end if;
  if cardinality(document_runs) > 0 then
    perform lineshaft.write_run_documents(
      document_runs, run_inputs, run_outputs, run_variables, 0 = any (run_revisions));
  end if;
  if removed::text <> '[]' then
    delete from lineshaft.step s
    where s.ctid = any (array(
      select place.ctid
      from json_to_recordset(removed) as g (run uuid, seq integer)
      cross join lateral (select t.ctid from lineshaft.step t where t.run_id = g.run and t.seq = g.seq limit 1) place
    ));
  end if;
  if cardinality(old_runs) > 0 then
    update lineshaft.step s
    set revision = old_revisions[c.n], iteration = old_iterations[c.n], retry_count = old_retries[c.n],
      status = old_statuses[c.n], scheduled_at = to_timestamp(old_scheduled[c.n] / 1000),
      started_at = to_timestamp(old_started[c.n] / 1000), updated_at = to_timestamp(old_updated[c.n] / 1000),
      ended_at = to_timestamp(old_ended[c.n] / 1000), reason = old_reasons[c.n], facts = old_facts[c.n],
      input = coalesce(old_inputs[c.n], s.input), output = coalesce(old_outputs[c.n], s.output)
    from generate_series(1, cardinality(old_runs)) as c (n)
    cross join lateral (
      select t.ctid from lineshaft.step t where t.run_id = old_runs[c.n] and t.seq = old_seqs[c.n] limit 1
    ) place
    where s.ctid = place.ctid;
  end if;
  if cardinality(new_runs) > 0 then
    insert into lineshaft.step (run_id, seq, revision, id, ref, type, name, iteration, retry_count, status,
      scheduled_at, started_at, updated_at, ended_at, reason, facts, definition, input, output)
    select new_runs[n], new_seqs[n], new_revisions[n], new_ids[n], new_refs[n], new_types[n], new_names[n], new_iterations[n],
      new_retries[n], new_statuses[n], to_timestamp(new_scheduled[n] / 1000), to_timestamp(new_started[n] / 1000),
      to_timestamp(new_updated[n] / 1000), to_timestamp(new_ended[n] / 1000), new_reasons[n], new_facts[n],
      new_definitions[n], new_inputs[n], new_outputs[n]
    from generate_series(1, cardinality(new_runs)) as n;
    if new_events is not null then
      perform lineshaft.send_events(new_ids, new_events, new_outputs);
    end if;
  end if;
  if 500 < any (run_nexts) then
    perform lineshaft.note_changes(run_ids, run_revisions, run_nexts, run_ends, new_runs || old_runs, new_seqs || old_seqs);
  end if;
  if cardinality(decided) > 0 then
    delete from lineshaft.mark m where m.id = any (decided);
  end if;
  if cardinality(mark_runs) > 0 then
    insert into lineshaft.mark (run_id, event)
    select m.run_id, m.event from rows from (unnest(mark_runs), json_array_elements(events)) as m (run_id, event);
  end if;
  if cardinality(withdrawn) > 0 then
    perform lineshaft.withdraw_jobs(withdrawn);
  end if;
  if again::text <> '[]' then
    perform lineshaft.requeue_steps(again);
  end if;
  if cardinality(job_ids) > 0 then
    perform lineshaft.enqueue_many(templates, template_of, job_ids, payloads, null, false, 'always');
  end if;
  if exists (select from lineshaft.run_waiter where until > now()) then
    perform lineshaft.announce_runs(run_ids);
  end if;
  return null;
end
$$;

-- Changes the rows of runs: see apply_runs. False: some are of another revision than was read. A time to wake that is not over
-- yet stays where the new one is later: it is looked at once too often then, and its index is not written at each change.
create function lineshaft.change_runs(
  ids uuid[], revisions integer[], statuses text[], nexts integer[], wakes double precision[], updates double precision[],
  ends double precision[], mores json[]
)
returns boolean language plpgsql as $$
declare
  matched bigint;
begin
  update lineshaft.run r
  set revision = r.revision + 1, status = statuses[w.n], next_seq = nexts[w.n],
    wake_at = case
      when r.wake_at > clock_timestamp() and r.wake_at <= to_timestamp(wakes[w.n] / 1000) then r.wake_at
      else to_timestamp(wakes[w.n] / 1000)
    end,
    removed_in = case when (mores[w.n] ->> 'removed')::boolean then r.revision + 1 else r.removed_in end,
    updated_at = to_timestamp(updates[w.n] / 1000), ended_at = to_timestamp(ends[w.n] / 1000),
    retried_at = to_timestamp((mores[w.n] ->> 'retried')::double precision / 1000), reason = mores[w.n] ->> 'reason',
    facts = mores[w.n] -> 'facts',
    correlation_id = case when mores[w.n] is null then r.correlation_id else mores[w.n] ->> 'correlation' end,
    definition = coalesce(mores[w.n] ->> 'definition', r.definition),
    version = coalesce((mores[w.n] ->> 'version')::integer, r.version)
  from generate_series(1, cardinality(ids)) as w (n)
  cross join lateral (select t.ctid from lineshaft.run t where t.id = ids[w.n] limit 1) place
  where r.ctid = place.ctid and r.revision = revisions[w.n] and revisions[w.n] > 0;
  get diagnostics matched = row_count;
  if matched < cardinality(ids) and matched < (select count(*) from unnest(revisions) as w (revision) where w.revision > 0) then
    return false;
  end if;
  -- To be indexed, as those that start: other changes of what is searched are seen by a trigger (0016), and are few.
  if array_to_string(ends, '') <> '' then
    insert into lineshaft.search_pending (run_id)
    select w.id from unnest(ids, revisions, ends) as w (id, revision, ended) where w.revision > 0 and w.ended is not null;
  end if;
  return true;
end
$$;

-- The rows of runs that are new: see apply_runs.
create function lineshaft.start_runs(
  ids uuid[], revisions integer[], statuses text[], nexts integer[], wakes double precision[], updates double precision[],
  ends double precision[], mores json[]
)
returns void language plpgsql as $$
begin
  with started as (
    insert into lineshaft.run (id, revision, status, next_seq, wake_at, updated_at, ended_at, retried_at, reason, facts,
      definition, name, version, priority, correlation_id, idempotency_key, created_by, event, created_at, parent_run, parent_step)
    select w.id, 1, w.status, w.next, to_timestamp(w.wake / 1000), to_timestamp(w.updated / 1000),
      to_timestamp(w.ended / 1000), to_timestamp(m.retried / 1000), m.reason, m.facts, m.definition, m.name, m.version,
      m.priority, m.correlation, m.idempotency, m."createdBy", m.event, to_timestamp(m.created / 1000), m."parentRun", m."parentStep"
    from unnest(ids, revisions, statuses, nexts, wakes, updates, ends, mores)
      as w (id, revision, status, next, wake, updated, ended, more)
    cross join lateral json_to_record(w.more) as m (
      retried double precision, reason text, facts json, definition text, name text, version integer, priority smallint,
      correlation text, idempotency text, "createdBy" text, event text, created double precision, "parentRun" uuid, "parentStep" uuid
    )
    where w.revision = 0
    returning id
  )
  insert into lineshaft.search_pending (run_id) select s.id from started s;
  perform lineshaft.keep_run_keys(ids, revisions, mores);
end
$$;

-- The documents of runs, null: as it was. `any_new`: some of the runs are new.
create function lineshaft.write_run_documents(
  runs uuid[], inputs json[], outputs json[], all_variables json[], any_new boolean
)
returns void language plpgsql as $$
begin
  update lineshaft.run_data d
  set input = coalesce(inputs[w.n], d.input), output = coalesce(outputs[w.n], d.output),
    variables = coalesce(all_variables[w.n], d.variables)
  from generate_series(1, cardinality(runs)) as w (n)
  cross join lateral (select t.ctid from lineshaft.run_data t where t.run_id = runs[w.n] limit 1) place
  where d.ctid = place.ctid;
  if not any_new then
    return;
  end if;
  -- Of runs that are new all documents are given; those of others were written above.
  insert into lineshaft.run_data (run_id, input, output, variables)
  select runs[n], inputs[n], outputs[n], all_variables[n]
  from generate_series(1, cardinality(runs)) as n
  where inputs[n] is not null and outputs[n] is not null and all_variables[n] is not null
  on conflict (run_id) do nothing;
end
$$;

-- Writes down which steps of large runs (500 steps and more) are written with this change: see run_change, load_runs.sql. Runs as
-- in apply_runs; steps by their runs.
create function lineshaft.note_changes(
  ids uuid[], revisions integer[], nexts integer[], ends double precision[], step_runs uuid[], step_seqs integer[]
)
returns void language plpgsql as $$
begin
  insert into lineshaft.run_change (run_id, revision, seqs)
  with touched as materialized (
    select s.run, array_agg(s.seq) as seqs from unnest(step_runs, step_seqs) as s (run, seq) group by s.run
  )
  select w.id, w.revision + 1, coalesce(t.seqs, '{}')
  from unnest(ids, revisions, nexts, ends) as w (id, revision, next, ended)
  left join touched t on t.run = w.id
  where w.revision > 0 and w.next > 500 and w.ended is null;
  delete from lineshaft.run_change c
  where c.ctid = any (array(
    select old.ctid
    from unnest(ids, revisions, nexts, ends) as w (id, revision, next, ended)
    cross join lateral (
      select t.ctid from lineshaft.run_change t
      where t.run_id = w.id and (w.ended is not null or t.revision <= w.revision - 1023)
      offset 0
    ) old
    where w.next > 500 and (w.ended is not null or (w.revision + 1) % 256 = 0)
  ));
end
$$;

-- Removes a run with its steps, marks and jobs; what it was started with goes with the last run that has it. False: it is
-- not there. Whoever still writes about it finds nothing.
create function lineshaft.remove_run(of_run uuid)
returns boolean language plpgsql as $$
declare
  gone lineshaft.run;
begin
  delete from lineshaft.run r where r.id = of_run returning r.* into gone;
  if not found then
    return false;
  end if;
  -- Before jobs are locked, as everywhere.
  if lineshaft.give_back_slot(of_run) then
    perform pg_notify('lineshaft', 'm');
  end if;
  perform lineshaft.withdraw_jobs(array(
    select s.id from lineshaft.step s where s.run_id = of_run and s.status in ('SCHEDULED', 'IN_PROGRESS')
  ));
  delete from lineshaft.step_log g using lineshaft.step s where s.run_id = of_run and g.step_id = s.id;
  delete from lineshaft.step s where s.run_id = of_run;
  delete from lineshaft.run_data d where d.run_id = of_run;
  insert into lineshaft.search_pending (run_id) values (of_run);
  delete from lineshaft.mark m where m.run_id = of_run;
  delete from lineshaft.run_change c where c.run_id = of_run;
  delete from lineshaft.run_message m where m.run_id = of_run;
  delete from lineshaft.run_key k
  where k.workflow = gone.name and k.key = gone.idempotency_key and k.run_id = of_run;
  if exists (select from lineshaft.run_waiter where until > now()) then
    perform lineshaft.announce_runs(array[of_run]);
  end if;
  return true;
end
$$;

-- Tells those who wait for runs that they have changed.
create function lineshaft.announce_runs(ids uuid[])
returns void language plpgsql as $$
begin
  perform pg_notify('lineshaft', case when cardinality(ids) <= 200 then 'w' || array_to_string(ids, ',') else 'w' end);
end
$$;

-- Lets jobs of steps wait again, whoever has them: {id, delay}, in ms. What still comes of the attempt is dropped; room under
-- limits is given back. Jobs that are gone are passed over. Locks: as withdraw_jobs.
create function lineshaft.requeue_steps(again json)
returns void language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  ids uuid[];
  known uuid[];
  running uuid[];
  queues bigint[];
  opened integer[];
  any_later boolean;
begin
  ids := array(select a.id from json_to_recordset(again) as a (id uuid));
  perform lineshaft.lock_remote(ids);
  known := array(
    select k.id
    from (select distinct t.id from unnest(ids) as t (id) order by t.id offset 0) t
    cross join lateral (select j.id from lineshaft.job j where j.id = t.id limit 1 for update) k
  );
  running := array(select unnest(known) except select unnest(lineshaft.unplace_all(known)));
  perform lineshaft.drop_remote(running);
  with moved as (
    update lineshaft.job j
    set fence = j.fence + 1, due = clock_timestamp() + a.delay * interval '1 millisecond'
    from json_to_recordset(again) as a (id uuid, delay double precision)
    -- They are locked: so each stays in its place.
    cross join lateral (select t.ctid from lineshaft.job t where t.id = a.id limit 1) place
    where j.ctid = place.ctid
    returning j.id, j.due, j.seq, j.lane, j.priority, a.delay > 0 as waits
  ),
  not_yet as (
    insert into lineshaft.later (due, seq, lane, priority, job_id)
    select m.due, m.seq, m.lane, m.priority, m.id from moved m where m.waits
  ),
  now_ready as (
    insert into lineshaft.ready (due, seq, lane, priority, job_id)
    select m.due, m.seq, m.lane, m.priority, m.id from moved m where not m.waits
  )
  select array_agg(distinct l.queue_id) filter (where not m.waits), bool_or(m.waits),
    array_agg(distinct m.lane) filter (where not m.waits and m.lane < 0)
  into queues, any_later, opened
  from moved m
  join lineshaft.lane l on l.id = m.lane;
  perform lineshaft.open_lanes(opened);
  perform lineshaft.release_moved(running);
  perform lineshaft.wake(coalesce(queues, '{}'), coalesce(any_later, false), 'always');
end
$$;

-- Leaves a mark for the run of a step whose job has ended other than by its worker's word. Nothing where it is none of a step.
create function lineshaft.mark_step(of_step uuid, event jsonb)
returns void language plpgsql as $$
begin
  insert into lineshaft.mark (run_id, step_id, event, orphan)
  select s.run_id, s.id, (event || jsonb_build_object('stepId', of_step))::json, true from lineshaft.step s where s.id = of_step;
  if found then
    perform pg_notify('lineshaft', 'm');
  end if;
end
$$;

-- As `document`, of one that has values of others.
create function lineshaft.put_together(of_run uuid, written json)
returns json language plpgsql stable
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off as $$
declare
  places json := written -> 1;
  members text[] := '{}';
  place json;
  source json;
  member record;
begin
  for member in select m.key, m.value from json_each(written -> 0) m loop
    place := places -> member.key;
    if place is not null then
      if (place ->> 0)::integer = 0 then
        select d.input into source from lineshaft.run_data d where d.run_id = of_run;
      else
        select s.output into source from lineshaft.step s where s.run_id = of_run and s.seq = (place ->> 0)::integer;
      end if;
      if source is null then
        raise warning 'a value of run % is not where it should be', of_run;
      end if;
      member.value := case when json_typeof(source) = 'array' then source -> 0 else source end -> (place ->> 1);
    end if;
    members := members || (to_json(member.key)::text || ':' || coalesce(member.value::text, 'null'));
  end loop;
  return '{' || array_to_string(members, ',') || '}';
end
$$;

-- A document of a step as it is, whichever way it is written: where values of it stand in the input of the run or in outputs
-- of earlier steps, `written` is an array of the rest and of the places: see domain/workflow/origins.ts.
create function lineshaft.document(of_run uuid, written json)
returns json language sql stable as $$
  select case
    when left(written::text, 1) = '[' and json_typeof(written -> 0) = 'object' then lineshaft.put_together(of_run, written)
    else written
  end
$$;

-- Gives the documents of steps their own values back.
create function lineshaft.part_documents(runs uuid[])
returns void language sql as $$
  update lineshaft.step s
  set input = lineshaft.document(s.run_id, s.input), output = lineshaft.document(s.run_id, s.output)
  where s.run_id = any (runs) and (left(s.input::text, 1) = '[' or left(s.output::text, 1) = '[')
$$;

-- The payloads by which limits tell jobs apart: that of a step says only that its input stands in the step.
create function lineshaft.with_inputs(ids uuid[], payloads json)
returns json language sql stable as $$
  select json_agg(
    coalesce((select lineshaft.document(s.run_id, s.input) from lineshaft.step s where s.id = p.id), p.payload) order by p.n
  )
  from rows from (unnest(ids), json_array_elements(payloads)) with ordinality as p (id, payload, n)
$$;

-- Ends the jobs of steps whose workers still have them, in the write in which their runs go on; as complete_steps, it fails
-- where one has moved on. `finished`: leases that go where they have no jobs left. Locks: key share on the leases, then the jobs.
create function lineshaft.end_steps(leases bigint[], ids uuid[], fences integer[], finished bigint[])
returns void language plpgsql as $$
declare
  matched bigint;
begin
  select count(*) into matched
  from (select from lineshaft.lease l where l.id = any (leases) for key share) held;
  perform lineshaft.demand(matched, cardinality(leases));
  delete from lineshaft.job j
  where j.id = any (ids) and case
    when (j.id, j.fence) in (select r.id, r.fence from unnest(ids, fences) as r (id, fence)) then true
  end;
  get diagnostics matched = row_count;
  perform lineshaft.demand(matched, cardinality(ids));
  delete from lineshaft.lease l
  where l.id = any (finished) and not exists (
    select
    from unnest(l.job_ids, l.fences) as h (id, fence)
    cross join lateral (select from lineshaft.job j where j.id = h.id and j.fence = h.fence limit 1) j
  );
end
$$;

-- Makes jobs of steps, and hands them to the worker that did the steps before them: jobs and lease come with one commit, they
-- never wait. Not where others go before: then they wait as all do. `templates`, `template_of`, `ids`, `payloads`: as enqueue_many;
-- `lanes`: that the worker serves, for each template; `before`: lanes whose jobs go first, where their priority is higher.
-- Returns one row: lease (null: they wait), created (ms). Locks: as enqueue_many, and key share on the worker, so that a
-- rescued one is handed nothing.
create function lineshaft.hand_steps(
  to_worker bigint, templates jsonb, template_of integer[], ids uuid[], payloads json, lanes integer[], before integer[]
)
returns table (lease bigint, created bigint) language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  known record;
  priorities smallint[] := '{}';
  kept jsonb[] := '{}';
  present timestamptz := clock_timestamp();
begin
  for place in 1 .. cardinality(lanes) loop
    select q.id, coalesce((templates -> (place - 1) ->> 'priority')::smallint, q.priority) as priority into known
    from lineshaft.lane l
    join lineshaft.queue q on q.id = l.queue_id
    where l.id = lanes[place] and l.kind = templates -> (place - 1) ->> 'kind' and l.attached is null and q.steps and q.state = 'active';
    if not found or not lineshaft.hold_queue(known.id) or exists (
      select
      from unnest(before) as o (lane)
      cross join lateral (
        select r.priority from lineshaft.ready r where r.lane = o.lane order by r.priority desc, r.due, r.seq limit 1
      ) first
      where first.priority > known.priority
    ) then
      perform lineshaft.enqueue_many(templates, template_of, ids, payloads, null, false, 'always');
      return query select null::bigint, null::bigint;
      return;
    end if;
    priorities := priorities || known.priority;
    kept := kept || coalesce(lineshaft.options_of(templates -> (place - 1)), 'null'::jsonb);
  end loop;
  insert into lineshaft.job (id, seq, due, created_at, lane, priority, payload, options)
  select j.id, nextval('lineshaft.job_seq'), present, present, lanes[x.t], priorities[x.t], j.payload, nullif(kept[x.t], 'null'::jsonb)
  from rows from (unnest(ids), json_array_elements(payloads)) with ordinality as j (id, payload, n)
  cross join lateral (select coalesce(template_of[j.n], 1)) as x (t);
  insert into lineshaft.lease (worker, job_ids, fences)
  values (to_worker, ids, array_fill(0, array[cardinality(ids)]))
  returning id into lease;
  created := (date_part('epoch', present) * 1000)::bigint;
  return next;
end
$$;

-- Whether the jobs of a lane are steps of runs.
create function lineshaft.is_of_steps(of_lane integer)
returns boolean language sql stable as $$
  select q.steps from lineshaft.lane l join lineshaft.queue q on q.id = l.queue_id where l.id = of_lane
$$;
