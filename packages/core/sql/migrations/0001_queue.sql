-- The queue: projects, queues, lanes, jobs and where they wait, workers and leases, history.
-- Lock cost: new objects only. The word `lineshaft.` stands for the schema of the installation.
-- Small tables with one duty each; docs/internals/tables.md tells why.

create sequence lineshaft.job_seq;

create table lineshaft.setting (
  name text primary key,
  value jsonb not null
);
insert into lineshaft.setting (name, value) values ('payload_max_bytes', '1048576');

create table lineshaft.project (
  id bigint generated always as identity primary key,
  name text not null unique,
  created_at timestamptz not null default now()
);
-- The default project is number 1, which spares the hot path a look-up.
insert into lineshaft.project (id, name) overriding system value values (1, 'default');
alter table lineshaft.project alter column id restart with 2;

-- Settings of a queue are data; workers see a change within a second (by `version`).
create table lineshaft.queue (
  id bigint generated always as identity primary key,
  project_id bigint not null references lineshaft.project (id),
  name text not null,
  slug text generated always as (project_id::text || '-' || name) stored unique,
  state text not null default 'active' check (state in ('active', 'paused')),
  resume_at timestamptz,
  concurrency integer not null default 10 check (concurrency between 1 and 10000),
  tags text[] not null default '{*}',
  executor text not null default 'async',
  executor_options jsonb not null default '{}',
  polling_interval_ms integer not null default 5000 check (polling_interval_ms between 10 and 3600000),
  priority smallint not null default 0,
  weight smallint not null default 1 check (weight between 1 and 1000),
  max_attempts smallint not null default 5 check (max_attempts between 1 and 1000),
  backoff jsonb not null default '{"type": "exponential", "delayMs": 1000, "factor": 2, "limitMs": 3600000, "jitter": 0.2}',
  retry_rules jsonb not null default '[]',
  limits jsonb not null default '{}',
  retention jsonb not null default '{"succeededMs": 86400000, "failedMs": 1209600000, "cancelledMs": 1209600000}',
  wake text not null default 'auto' check (wake in ('auto', 'always', 'never')),
  needs jsonb not null default '{}',
  -- Its jobs are steps of runs: how they end becomes a mark of their run, and history keeps nothing of them.
  steps boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (project_id, name)
);
insert into lineshaft.queue (project_id, name) select id, 'default' from lineshaft.project;

-- A lane joins all that decides who may run a job: queue, kind, requirements, pinned build, and what it wants besides
-- (`needs`: amounts by name; `prefers` and `preferMs`: a requirement that is only a wish). Not unique on purpose:
-- nobody waits for a stranger's open transaction that makes the same lane, see lane_of.
create table lineshaft.lane (
  id integer generated always as identity primary key,
  queue_id bigint not null references lineshaft.queue (id) on delete cascade,
  kind text not null,
  requirements text[] not null default '{}',
  pin text not null default 'none' check (pin in ('none', 'min', 'exact')),
  build text not null default '',
  wants jsonb not null default '{}',
  -- The limits that its jobs come under because of its queue, kind or project; null: none.
  attached integer[],
  -- A keyed lane has a negative id: the lane that it stands for (base), and the counters that its jobs need.
  base integer,
  limits integer[],
  keys text[],
  -- Of these: the limit that keeps its jobs in order, with its key; the limit in which keys take turns.
  fifo integer,
  fifo_key text,
  fair integer,
  -- Its jobs say what they cost.
  weighted boolean not null default false,
  -- Its limits are not those that its jobs are to have any more: what waits in it moves to another lane.
  stale boolean not null default false
);
create index lane_content on lineshaft.lane (queue_id, kind, requirements, pin, build) where id > 0;
create index lane_keyed on lineshaft.lane (base, limits, keys) where id < 0;
create index lane_fifo on lineshaft.lane (fifo, fifo_key) where fifo is not null;
create index lane_stale on lineshaft.lane (id) where stale;
create sequence lineshaft.keyed_lane_seq as integer increment -1 start -1 minvalue -2147483647 maxvalue -1 cycle;

-- The wide row of a job that is not finished, or failed for good. Not updated while it waits.
-- Its place in the order is (lane, priority, due, seq), by which its row in ready or later is found.
create table lineshaft.job (
  id uuid primary key,
  seq bigint not null,
  due timestamptz not null,
  created_at timestamptz not null,
  lane integer not null,
  fence integer not null default 0,
  priority smallint not null,
  attempt smallint not null default 0,
  rescued smallint not null default 0,
  version smallint not null default 1,
  payload json not null,
  options jsonb,
  errors jsonb,
  -- What it takes of each limit of its lane; null: 1 of each.
  costs integer[]
) with (
  autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 20000,
  autovacuum_vacuum_insert_scale_factor = 0.0, autovacuum_vacuum_insert_threshold = 1000000,
  autovacuum_analyze_scale_factor = 0.2, autovacuum_vacuum_cost_delay = 1
);
create index job_keyed on lineshaft.job (lane) where lane < 0;

-- Plain jobs that callers' transactions have left here, for whoever is first to take them in: the least that a commit
-- can be made to wait for. One row and one index entry, whose contention is that of any table with a growing key.
create table lineshaft.inbox (
  at timestamptz not null,
  seq bigint not null,
  id uuid not null,
  queue_id bigint not null,
  kind text not null,
  payload json not null
) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
create index inbox_order on lineshaft.inbox (at, seq);

-- The order book of what may be claimed now.
create table lineshaft.ready (
  due timestamptz not null,
  seq bigint not null,
  lane integer not null,
  priority smallint not null,
  job_id uuid not null
) with (
  autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0
);
create index ready_order on lineshaft.ready (lane, priority desc, due, seq);

-- What is not due yet, by due time.
create table lineshaft.later (
  due timestamptz not null,
  seq bigint not null,
  lane integer not null,
  priority smallint not null,
  reason "char" not null default 's' check (reason in ('s', 'r')),
  job_id uuid not null
) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0);
create index later_due on lineshaft.later (due, seq);

-- What waits for something other than time, each under what will release it.
create table lineshaft.blocked (
  job_id uuid primary key,
  lane integer not null,
  reason text not null,
  detail jsonb not null default '{}',
  since timestamptz not null default now()
);

-- Dead letters: jobs that failed for good; they keep their wide row until their retention ends.
create table lineshaft.dead (
  job_id uuid primary key,
  lane integer not null,
  reason text not null,
  failed_at timestamptz not null default now(),
  expires_at timestamptz not null
);
create index dead_failed on lineshaft.dead (failed_at);
create index dead_expires on lineshaft.dead (expires_at);

-- A worker process; until when its leases hold is written here and nowhere else.
create table lineshaft.worker (
  id bigint generated always as identity primary key,
  worker_id text not null,
  name text not null,
  build text not null,
  tags text[] not null,
  kinds text[] not null,
  queues text[] not null,
  slots integer not null,
  started_at timestamptz not null default now(),
  heartbeat_at timestamptz not null default now(),
  lease_ms integer not null,
  lease_until timestamptz not null,
  stopping boolean not null default false,
  running integer not null default 0,
  offers jsonb not null default '{}'
) with (fillfactor = 50, autovacuum_vacuum_threshold = 100, autovacuum_vacuum_scale_factor = 0.0);
create index worker_expiry on lineshaft.worker (lease_until);

-- One row per claimed batch: whose, and which jobs with which fences. Of jobs that the next rescue would bury, `suspects` has
-- those that were started: they run one at a time, so that a worker's death is told from its neighbours'.
create table lineshaft.lease (
  id bigint generated always as identity primary key,
  worker bigint not null references lineshaft.worker (id),
  taken_at timestamptz not null default now(),
  job_ids uuid[] not null,
  fences integer[] not null,
  suspects uuid[] not null default '{}'
) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
alter table lineshaft.lease alter column job_ids set storage external;
alter table lineshaft.lease alter column fences set storage extended;
create index lease_worker on lineshaft.lease (worker);

create type lineshaft.id_range as range (subtype = uuid);

-- Finished jobs, a row per written batch: `entries` has a line of JSON per job, in the order of `ids`. The rest says
-- what is in it, so that pruning need not read the lines: how many jobs, the distinct lanes, how all of them ended
-- (null: not known), and when the first and the last of them was made (null: not known).
create table lineshaft.history (
  finished_at timestamptz not null default now(),
  expires_at timestamptz not null,
  created_from timestamptz,
  created_to timestamptz,
  ids uuid[] not null,
  id_span lineshaft.id_range not null,
  lanes integer[] not null,
  entries text not null,
  jobs integer not null generated always as (cardinality(ids)) stored,
  outcome text check (outcome in ('succeeded', 'failed', 'cancelled'))
) partition by range (finished_at);
alter table lineshaft.history alter column ids set storage external;
do $$
begin
  alter table lineshaft.history alter column entries set compression lz4;
exception when feature_not_supported then
  -- A server that was built without lz4 compresses with its default.
  null;
end
$$;
create index history_span on lineshaft.history using gist (id_span);
create index history_finished on lineshaft.history (finished_at);

-- Taken unique keys. A key may outlive its job: `until` is null while the job lives.
create table lineshaft.unique_key (
  project_id bigint not null,
  key text not null,
  job_id uuid not null,
  states smallint not null,
  keep_ms bigint not null default 3600000,
  until timestamptz,
  primary key (project_id, key)
) with (fillfactor = 80);
create index unique_key_until on lineshaft.unique_key (until) where until is not null;

-- Jobs that were cancelled while they ran: their workers read it with the heartbeat.
create table lineshaft.cancellation (
  job_id uuid primary key,
  reason text not null,
  cancelled_at timestamptz not null default now()
);

-- The last progress of running jobs; not worth a crash-safe write.
create unlogged table lineshaft.progress (
  job_id uuid primary key,
  current double precision not null,
  total double precision,
  at timestamptz not null default now()
) with (fillfactor = 70);

-- Processes that wait for jobs: while there is one, completions announce which jobs they finished.
create unlogged table lineshaft.waiter (
  id uuid primary key,
  until timestamptz not null
);

-- Who may do what must be done once. A higher term than one's own means: stop.
create table lineshaft.leader (
  name text primary key,
  worker bigint not null,
  term bigint not null default 1,
  until timestamptz not null
) with (fillfactor = 50);

-- Raises the error of the catalogue that TypeScript callers get as a LineshaftError.
create function lineshaft.fail(state text, code text, message text, hint text default null, details jsonb default '{}')
returns void language plpgsql as $$
begin
  raise exception using
    errcode = state, message = message, hint = coalesce(hint, ''),
    detail = (jsonb_build_object('code', code) || details)::text;
end
$$;

-- Refuses a write that speaks for jobs which have moved on; the whole statement is undone.
create function lineshaft.demand(matched bigint, expected bigint)
returns boolean language plpgsql as $$
begin
  if matched <> expected then
    raise exception using
      errcode = 'LS409', message = format('%s of %s jobs have moved on', expected - matched, expected),
      detail = '{"code": "LEASE_LOST"}';
  end if;
  return true;
end
$$;

-- A UUIDv7 (RFC 9562) of the database's clock.
create function lineshaft.uuid_v7()
returns uuid language sql volatile parallel safe as $$
  select encode(
    set_bit(
      set_bit(
        overlay(
          uuid_send(gen_random_uuid())
          placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
          from 1 for 6
        ),
        52, 1
      ),
      53, 1
    ),
    'hex'
  )::uuid
$$;
