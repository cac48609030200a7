-- What plugins and services keep: the migrations of plugins, and leases of single jobs.
-- Lock cost: new objects only.

-- Migrations of plugins, each plugin with numbers of its own.
create table lineshaft.plugin_migration (
  plugin text not null,
  version integer not null,
  name text not null,
  checksum text not null,
  applied_at timestamptz not null default now(),
  took_ms integer not null,
  primary key (plugin, version)
);

-- Leases of single running jobs, for those whose limits have `leaseMs`: an attempt that is not heard of for so long is
-- taken back although its worker lives. Rows of attempts that have ended otherwise are harmless, and go when they lapse.
create table lineshaft.job_lease (
  job_id uuid primary key,
  worker bigint not null,
  lease bigint not null,
  fence integer not null,
  lease_ms integer not null,
  until timestamptz not null,
  -- Of steps that workers poll for: when the attempt must have ended, whoever is heard of (null: any time); the name of the
  -- worker; the call that took it, until it is known that its answer was sent.
  ends timestamptz,
  holder text,
  claim text
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
create index job_lease_until on lineshaft.job_lease (until);

-- So long a server may take to send the answer to a poll, from when it has taken the steps, or said that it is at it.
create function lineshaft.sending_ms()
returns integer language sql immutable as 'select 10000';

-- Takes back the jobs whose own lease has lapsed; not before a full lease has passed since the database came up, and
-- since who asks has been connected (heard_ms). As in `rescue`, the lease of the batch is locked first, which completions
-- hold; then, in statements of their own, it is looked whether there is still something to take back.
-- The jobs of steps are not given back: their run is told, and decides whether there is another attempt. But those whose server
-- has not said that the answer to the poll was sent are: it died, and no worker knows of them.
-- Returns a row per job: which, with which fence, of which worker, and whether it is a dead letter now (null: its run decides).
create function lineshaft.rescue_jobs(max_rescues integer, heard_ms double precision)
returns table (job_id uuid, fence integer, worker_id text, buried boolean) language plpgsql as $$
#variable_conflict use_column
declare
  one lineshaft.job_lease;
  held lineshaft.lease;
  moved uuid[] := '{}';
  unsent bigint[] := '{}';
begin
  for one in
    select l.*
    from lineshaft.job_lease l
    cross join lateral (select case when l.claim is null then l.lease_ms else lineshaft.sending_ms() end as silent_ms) s
    -- By a time that does not pass within the statement, which bounds the scan of the index.
    where l.until < now() and s.silent_ms <= heard_ms
      and pg_postmaster_start_time() + s.silent_ms * interval '1 millisecond' < clock_timestamp()
    order by l.until
    limit 100
  loop
    select * into held from lineshaft.lease l where l.id = one.lease for update skip locked;
    if not found then
      -- Its batch has ended, or somebody is at it.
      delete from lineshaft.job_lease l
      where l.job_id = one.job_id and l.fence = one.fence and l.until < clock_timestamp()
        and not exists (select from lineshaft.lease e where e.id = one.lease);
      continue;
    end if;
    delete from lineshaft.job_lease l
    where l.job_id = one.job_id and l.fence = one.fence and l.until < clock_timestamp();
    continue when not found;
    if one.claim is not null then
      unsent := unsent || one.lease;
      job_id := one.job_id;
      fence := one.fence;
      worker_id := one.holder;
      buried := false;
      return next;
      continue;
    end if;
    if lineshaft.lapse_step(one) then
      job_id := one.job_id;
      fence := one.fence;
      worker_id := coalesce(one.holder, (select w.worker_id from lineshaft.worker w where w.id = one.worker));
      buried := null;
      return next;
      continue;
    elsif one.worker = 0 then
      continue;
    end if;
    held.job_ids := array[one.job_id];
    held.fences := array[one.fence];
    held.suspects := array[one.job_id];
    select w.worker_id into worker_id from lineshaft.worker w where w.id = one.worker;
    continue when cardinality(lineshaft.rescue_lease(
      held, max_rescues, format('worker %s did not hear of this attempt for %s ms', worker_id, one.lease_ms)
    )) = 0;
    moved := moved || one.job_id;
    job_id := one.job_id;
    fence := one.fence;
    buried := exists (select from lineshaft.dead d where d.job_id = one.job_id);
    perform pg_notify('lineshaft', 'j' || one.job_id);
    return next;
  end loop;
  if cardinality(unsent) > 0 then
    perform lineshaft.return_leases(0, unsent);
  end if;
  perform lineshaft.after_rescue(moved);
end
$$;

-- What becomes of a job of a step whose worker was not heard of: it ends, and its run is told. The caller has locked the lease
-- of its batch; of workers that poll it is the job's own, and goes too, also where the job has moved on. False: it is no job
-- of a step, or has moved on.
create function lineshaft.lapse_step(one lineshaft.job_lease)
returns boolean language plpgsql as $$
declare
  j lineshaft.job;
  since timestamptz;
begin
  select e.taken_at into since from lineshaft.lease e where e.id = one.lease;
  select k.* into j from lineshaft.job k where k.id = one.job_id and k.fence = one.fence for update;
  if one.worker = 0 then
    delete from lineshaft.lease e where e.id = one.lease;
  end if;
  if j.id is null or not lineshaft.is_of_steps(j.lane) then
    return false;
  end if;
  perform lineshaft.mark_step(j.id, jsonb_strip_nulls(jsonb_build_object(
    'type', 'lapsed', 'startedAt', (date_part('epoch', since) * 1000)::bigint,
    'at', (date_part('epoch', clock_timestamp()) * 1000)::bigint, 'workerId', one.holder
  )));
  delete from lineshaft.job k where k.id = j.id;
  if one.worker <> 0 then
    perform pg_notify('lineshaft', 'j' || j.id);
  end if;
  if j.lane < 0 then
    perform lineshaft.release(array[(j.lane, j.costs, 'e', array[j.id])::lineshaft.freed]);
  end if;
  return true;
end
$$;
