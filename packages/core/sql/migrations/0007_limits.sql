-- Limits: named data that says how many jobs may run at once, how many may start in a time, in which order and in
-- whose turn. A job under limits waits in a keyed lane, which names the counters that it needs.
-- Lock cost: new objects only. docs/internals/limits.md tells how it works and why it is exact.

create table lineshaft.limit (
  id integer generated always as identity primary key,
  project_id bigint not null references lineshaft.project (id),
  name text not null,
  -- How many may run at once, per key; null: any number.
  concurrency integer check (concurrency between 0 and 1000000000),
  -- A token bucket per key: so many tokens come in a period, at most `burst` are kept.
  rate double precision check (rate > 0),
  period_ms double precision check (period_ms > 0),
  burst double precision check (burst >= 1),
  -- Not a bucket but a window: in no stretch of a period start more than `rate`, which is `burst` too.
  sliding boolean not null default false,
  -- Its jobs run one after the other per key, by time and sequence; the next starts when the one before is final.
  fifo boolean not null default false,
  -- Keys take turns, by weight.
  fair boolean not null default false,
  -- What other keys have: the first whose pattern fits; [{keys, concurrency, rate, periodMs, burst, weight}].
  tiers jsonb,
  key_from text not null default 'none' check (key_from in ('none', 'payload', 'label', 'given')),
  key_path text[],
  cost integer not null default 1 check (cost between 1 and 1000000000),
  -- Where in the payload the cost is; null: it is `cost`.
  cost_path text[],
  -- Which jobs come under it by what they are; null: any. With neither, and not for the whole project: those that say so.
  queues text[],
  kinds text[],
  whole_project boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (project_id, name)
);

-- What is in use of a limit under one key. Counters are locked in one order (`lock_counters`) and everybody who
-- frees something does so last in his transaction. No column that changes often is indexed, so that updates stay in place.
create table lineshaft.counter (
  limit_id integer not null,
  key text collate "C" not null,
  used integer not null default 0,
  -- The job that has the key of a FIFO limit until it is final.
  holder uuid,
  -- Tokens at `refilled_at`; null: as many as are kept at most.
  tokens double precision,
  refilled_at timestamptz,
  -- Of a sliding limit instead: what started in the last period, by hundredths of it, under their ends.
  spent_at timestamptz[],
  spent integer[],
  -- Nothing starts before: somebody was told to wait.
  closed_until timestamptz,
  -- When parked lanes may go on by time alone.
  wake_at timestamptz,
  -- The virtual time of the key in a limit in which keys take turns.
  at double precision not null default 0,
  -- The keyed lane whose first job needs more room than there is (`short_need`), since when, and when it was given a turn
  -- because there is now. While it waits for longer than 5 s that much room is kept for it.
  short_lane integer,
  short_need integer,
  short_since timestamptz,
  short_opened timestamptz,
  primary key (limit_id, key)
) with (
  fillfactor = 50, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0
);
create index counter_wake on lineshaft.counter (wake_at) where wake_at is not null;

-- Keyed lanes that may have something to claim, in the order of their turns. Whoever puts rows of keyed lanes into
-- ready adds turns for them in the same statement, and never looks whether there is one: rows are only inserted, and
-- deleted by claims, so that nobody waits for a stranger's open transaction. `at`: seconds, or virtual time; where that
-- is not known yet the turn stands under minus the base.
create table lineshaft.turn (
  base integer not null,
  priority smallint not null,
  at double precision not null,
  lane integer not null
) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
create index turn_order on lineshaft.turn (base, priority desc, at);

-- Keyed lanes that wait for room in a counter, which needs so much of it. Written under the counter's lock only.
create table lineshaft.parked (
  lane integer primary key,
  limit_id integer not null,
  key text collate "C" not null,
  need integer not null,
  base integer not null,
  priority smallint not null,
  at double precision not null
) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
create index parked_order on lineshaft.parked (limit_id, key, priority desc, at);

-- Whether a key fits a pattern, in which `*` stands for anything.
create function lineshaft.key_fits(of_key text, pattern text)
returns boolean language sql immutable as $$
  select of_key like replace(replace(replace(replace(pattern, '\', '\\'), '%', '\%'), '_', '\_'), '*', '%')
$$;

-- What a limit grants a key: at once, tokens per ms, tokens kept, weight.
create function lineshaft.terms_of(l lineshaft.limit, of_key text)
returns table (concurrency integer, per_ms double precision, burst double precision, weight double precision)
language sql stable as $$
  select
    coalesce((t.tier ->> 'concurrency')::integer, case when l.fifo then 1 end, l.concurrency),
    coalesce((t.tier ->> 'rate')::double precision / (t.tier ->> 'periodMs')::double precision, l.rate / l.period_ms),
    coalesce((t.tier ->> 'burst')::double precision, (t.tier ->> 'rate')::double precision, l.burst, l.rate, 1),
    coalesce((t.tier ->> 'weight')::double precision, 1)
  from (
    select case
      when l.tiers is not null then (
        select e.tier
        from jsonb_array_elements(l.tiers) with ordinality as e (tier, n)
        where lineshaft.key_fits(of_key, e.tier ->> 'keys')
        order by e.n
        limit 1
      )
    end as tier
    -- Once for a row, not once for each of its columns.
    offset 0
  ) t
$$;

-- What started in the last `period_ms`, of a sliding limit. Apart, since tokens_of must stay an expression.
create function lineshaft.spent_of(c lineshaft.counter, period_ms double precision, present timestamptz)
returns double precision language sql immutable as $$
  select coalesce(sum(s.n), 0)
  from unnest(c.spent_at, c.spent) as s (at, n)
  where s.at > present - period_ms * interval '1 millisecond'
$$;

-- The tokens of a counter now.
create function lineshaft.tokens_of(c lineshaft.counter, per_ms double precision, burst double precision, present timestamptz)
returns double precision language sql immutable as $$
  select case
    when c.spent_at is null then least(burst, coalesce(c.tokens, burst)
      + greatest(extract(epoch from present - coalesce(c.refilled_at, present))::double precision, 0) * 1000 * per_ms)
    else burst - lineshaft.spent_of(c, burst / per_ms, present)
  end
$$;

-- When a counter will have so many tokens, of which it has too few now; ten years at most.
create function lineshaft.tokens_due(
  c lineshaft.counter, per_ms double precision, burst double precision, tokens double precision, need double precision,
  present timestamptz
)
returns timestamptz language sql immutable as $$
  select case
    when c.spent_at is null
    then present + least(greatest(ceil((need - tokens) / per_ms), 2), 315360000000) * interval '1 millisecond'
    else (
      select max(s.at) + least(burst / per_ms + 2, 315360000000) * interval '1 millisecond'
      from (
        select s.at, sum(s.n) over (order by s.at) - s.n as before
        from unnest(c.spent_at, c.spent) as s (at, n)
        where s.at > present - burst / per_ms * interval '1 millisecond'
      ) s
      where s.before < need - tokens
    )
  end
$$;

-- The room in a counter: how much may start now.
create function lineshaft.room_of(
  c lineshaft.counter, concurrency integer, per_ms double precision, burst double precision, present timestamptz
)
returns integer language sql immutable as $$
  select case
    when c.closed_until > present then 0
    else greatest(0, least(
      coalesce(concurrency - c.used, 1000000000),
      case when per_ms is null then 1000000000
      else floor(lineshaft.tokens_of(c, per_ms, burst, present) + 0.000001)::integer end
    ))
  end
$$;

-- How much room of a counter is kept for the lane that has waited for it longest, at most all that there ever is. It must
-- still wait, here or in another counter that keeps room for it, or have been given its turn within 5 s: nobody may be there
-- to take it.
create function lineshaft.held_back(c lineshaft.counter, most integer, present timestamptz)
returns integer language sql stable as $$
  select case
    when c.short_lane is null or c.short_since > present - interval '5 s' then 0
    when c.short_opened > present - interval '5 s' or exists (
      select from lineshaft.parked k
      where k.lane = c.short_lane
        and exists (
          select from lineshaft.counter d where d.limit_id = k.limit_id and d.key = k.key and d.short_lane = k.lane
        )
    ) then least(c.short_need, greatest(most, 1))
    else 0
  end
$$;

-- The limits that the jobs of a lane come under by what it is, by id; null if there are none.
create function lineshaft.limits_on(of_queue bigint, of_kind text)
returns integer[] language sql stable as $$
  select array_agg(l.id order by l.id)
  from lineshaft.queue q
  join lineshaft.limit l on l.project_id = q.project_id
  where q.id = of_queue
    and (l.whole_project or l.queues is not null or l.kinds is not null)
    and (l.queues is null or q.name = any (l.queues))
    and (l.kinds is null or of_kind = any (l.kinds))
$$;

-- A key as it is kept: long ones by their beginning and a hash.
create function lineshaft.kept_key(of_key text)
returns text language sql immutable as $$
  select case when octet_length(of_key) <= 100 then of_key else left(of_key, 16) || '…' || md5(of_key) end
$$;

-- The limits that a template names in `under`: a row for each, refused where one does not exist, unless it is said
-- that it need not (`ifKnown`, for steps whose task may lose its limits at any time).
create function lineshaft.named_limits(template jsonb, of_project bigint)
returns table (limit_id integer, key text, cost integer) language plpgsql stable as $$
declare
  entry jsonb;
  name text;
begin
  if jsonb_typeof(template -> 'under') <> 'array' or jsonb_array_length(template -> 'under') > 8 then
    perform lineshaft.refuse('under', template -> 'under', 'an array of at most 8 limits', 'like ["api", {"limit": "tenant", "key": "acme"}]');
  end if;
  for entry in select e from jsonb_array_elements(template -> 'under') e loop
    if jsonb_typeof(entry) = 'string' then
      entry := jsonb_build_object('limit', entry);
    end if;
    name := entry ->> 'limit';
    if jsonb_typeof(entry) <> 'object' or jsonb_typeof(entry -> 'limit') is distinct from 'string'
      or coalesce(jsonb_typeof(entry -> 'key'), 'string') <> 'string' or octet_length(entry ->> 'key') > 1000
      or entry - array['limit', 'key', 'cost', 'ifKnown'] <> '{}' then
      perform lineshaft.refuse('under', entry, 'names of limits or {"limit", "key": a text, "cost"}');
    end if;
    perform lineshaft.check_range(entry, '{cost}', 1, 1000000000);
    select l.id into limit_id from lineshaft.limit l where l.project_id = of_project and l.name = entry ->> 'limit';
    continue when not found and (entry ->> 'ifKnown')::boolean;
    if not found then
      perform lineshaft.fail('LS404', 'LIMIT_NOT_FOUND', format('limit %L not found', name),
        'declare it: lineshaft limit declare NAME', jsonb_build_object('limit', name));
    end if;
    key := entry ->> 'key';
    cost := (entry ->> 'cost')::integer;
    return next;
  end loop;
end
$$;

-- The lanes of jobs that are under limits, made where they are new: per job its lane and, where it takes more than 1
-- of a limit, its costs. Null for jobs under no limit. `fifo` has a flag per template: its jobs have one priority.
-- Lanes are not unique, for the reason that lane_of tells: two of the same content are as good as one.
create function lineshaft.keyed_lanes(
  templates jsonb, template_of integer[], lanes integer[], payloads json,
  out job_lanes integer[], out job_costs text[], out fifo boolean[]
)
language plpgsql as $$
declare
  wants jsonb;
begin
  select jsonb_agg(jsonb_build_object('t', t.n, 'b', b.id, 'l', l.id, 'f', l.fifo, 'k', u.key, 'c', u.cost, 'v', t.value -> 'labels'))
  into wants
  from jsonb_array_elements(templates) with ordinality as t (value, n)
  join lineshaft.lane b on b.id = lanes[t.n]
  join lineshaft.queue q on q.id = b.queue_id
  cross join lateral (
    select w.limit_id, max(w.key) as key, max(w.cost) as cost
    from (
      select a.id as limit_id, null::text as key, null::integer as cost from unnest(b.attached) as a (id)
      union all
      select n.limit_id, n.key, n.cost from lineshaft.named_limits(t.value, q.project_id) n where t.value ? 'under'
    ) w
    group by w.limit_id
  ) u
  join lineshaft.limit l on l.id = u.limit_id;
  fifo := array(
    select exists (select from jsonb_to_recordset(wants) as w (t integer, f boolean) where w.t = n and w.f)
    from generate_series(1, jsonb_array_length(templates)) n
    order by n
  );

  -- Grouped rather than joined, for the reason that lanes_wanted tells.
  select array_agg(y.id order by y.n), array_agg(y.costs order by y.n)
  into job_lanes, job_costs
  from (
    select z.n, max(z.id) as id, max(z.costs) as costs
    from (
      select x.n, x.id, x.costs from lineshaft.lanes_wanted(wants, template_of, payloads) x
      union all
      select j.n, null, null from generate_series(1, json_array_length(payloads)) as j (n)
    ) z
    group by z.n
  ) y;
end
$$;

create function lineshaft.lanes_wanted(wants jsonb, template_of integer[], payloads json)
returns table (n bigint, id integer, costs text)
language sql set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
  with want as materialized (
    select w.t, w.b, w.l, w.k, w.c, w.v, l.key_from, l.key_path, l.cost, l.cost_path, l.fifo, l.fair
    from jsonb_to_recordset(wants) as w (t integer, b integer, l integer, k text, c integer, v jsonb)
    join lineshaft.limit l on l.id = w.l
  ),
  job as materialized (
    select j.n, w.b as base,
      array_agg(w.l order by w.l) as limits,
      array_agg(lineshaft.kept_key(k.key) order by w.l) as keys,
      array_agg(k.cost order by w.l) as costs,
      bool_or(k.cost > 1) as weighted,
      max(w.l) filter (where w.fifo) as fifo,
      max(lineshaft.kept_key(k.key)) filter (where w.fifo) as fifo_key,
      max(w.l) filter (where w.fair) as fair
    from json_array_elements(payloads) with ordinality as j (payload, n)
    join want w on w.t = coalesce(template_of[j.n], 1)
    cross join lateral (
      select
        coalesce(w.k, case w.key_from when 'payload' then j.payload #>> w.key_path when 'label' then w.v ->> w.key_path[1] end, '') as key,
        coalesce(w.c, case
          when w.cost_path is null then w.cost
          when j.payload #>> w.cost_path ~ '^[0-9]{1,9}([.][0-9]{1,30})?$'
          then greatest(ceil((j.payload #>> w.cost_path)::numeric)::integer, 1)
          else w.cost
        end) as cost
    ) k
    group by j.n, w.b
  ),
  -- The jobs of a lane go along with it: a join on what the lane is would compare each with each.
  wanted as materialized (
    select j.base, j.limits, j.keys, j.weighted, j.fifo, j.fifo_key, j.fair, array_agg(j.n) as jobs,
      array_agg(case when j.weighted then j.costs::text end) as costs
    from job j
    group by 1, 2, 3, 4, 5, 6, 7
  ),
  known as materialized (
    select w.*, k.id
    from wanted w
    left join lateral (
      select l.id
      from lineshaft.lane l
      where l.base = w.base and l.limits = w.limits and l.keys = w.keys and l.weighted = w.weighted and l.id < 0
      order by l.id desc
      limit 1
      -- Nobody collects it as unused before this transaction ends.
      for key share
    ) k on true
  ),
  numbered as materialized (
    select k.base, k.limits, k.keys, k.weighted, k.fifo, k.fifo_key, k.fair, k.jobs, k.costs, k.id is null as fresh,
      coalesce(k.id, nextval('lineshaft.keyed_lane_seq')::integer) as id
    from known k
  ),
  made as (
    insert into lineshaft.lane (id, queue_id, kind, requirements, pin, build, wants, base, limits, keys, weighted, fifo, fifo_key, fair)
    overriding system value
    select w.id, b.queue_id, b.kind, b.requirements, b.pin, b.build, b.wants, b.id, w.limits, w.keys,
      w.weighted, w.fifo, w.fifo_key, w.fair
    from numbered w
    join lineshaft.lane b on b.id = w.base
    where w.fresh
  )
  select j.n, w.id, j.costs
  from numbered w
  cross join lateral unnest(w.jobs, w.costs) as j (n, costs)
$$;

-- Says that keyed lanes may have something to claim, after rows of theirs were put into ready.
create function lineshaft.open_lanes(lanes integer[])
returns void language sql as $$
  insert into lineshaft.turn (base, priority, at, lane)
  select case when l.fair is null then l.base else - l.base end,
    coalesce((select r.priority from lineshaft.ready r where r.lane = l.id order by r.priority desc limit 1), 0),
    extract(epoch from clock_timestamp()), l.id
  from lineshaft.lane l
  where l.id = any (lanes) and l.id < 0
$$;

-- Places jobs of which some are under limits.
create function lineshaft.place_keyed(
  template_of integer[], ids uuid[], payloads json, lanes integer[], job_lanes integer[], job_costs text[],
  priorities smallint[], dues timestamptz[], versions smallint[], kept jsonb[], present timestamptz
)
returns void language sql set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
  with fresh as (
    insert into lineshaft.job (id, seq, due, created_at, lane, priority, version, payload, options, costs)
    select j.id, nextval('lineshaft.job_seq'), dues[x.t], present, coalesce(j.lane, lanes[x.t]), priorities[x.t],
      versions[x.t], j.payload, nullif(kept[x.t], 'null'::jsonb), j.costs::integer[]
    from rows from (unnest(ids), json_array_elements(payloads), unnest(job_lanes), unnest(job_costs)) with ordinality
      as j (id, payload, lane, costs, n)
    cross join lateral (select coalesce(template_of[j.n], 1)) as x (t)
    returning id, seq, due, lane, priority
  ),
  now_ready as (
    insert into lineshaft.ready (due, seq, lane, priority, job_id)
    select f.due, f.seq, f.lane, f.priority, f.id from fresh f where f.due <= present
  ),
  not_yet as (
    insert into lineshaft.later (due, seq, lane, priority, job_id)
    select f.due, f.seq, f.lane, f.priority, f.id from fresh f where f.due > present
  )
  insert into lineshaft.turn (base, priority, at, lane)
  select case when l.fair is null then l.base else - l.base end, o.priority, extract(epoch from present), o.lane
  from (
    select f.lane, max(f.priority) as priority from fresh f where f.lane < 0 and f.due <= present group by 1
  ) o
  join lineshaft.lane l on l.id = o.lane
$$;

-- Takes jobs of one kind in from the inbox if they are under limits; false where they are not.
create function lineshaft.take_in_keyed(
  of_queue bigint, of_kind text, times timestamptz[], ids uuid[], payloads json[]
)
returns boolean language plpgsql as $$
declare
  proper integer := lineshaft.lane_of(of_queue, of_kind, '{}', 'none', '');
  jobs json;
  placed record;
  rank smallint;
  n integer := cardinality(ids);
begin
  if exists (select from lineshaft.lane l where l.id = proper and l.attached is null) then
    return false;
  end if;
  jobs := array_to_json(payloads);
  select * into placed
  from lineshaft.keyed_lanes(jsonb_build_array(jsonb_build_object('kind', of_kind)), null, array[proper], jobs);
  select case when placed.fifo[1] then 0 else q.priority end into rank from lineshaft.queue q where q.id = of_queue;
  perform lineshaft.place_keyed(array(select generate_series(1, n)), ids, jobs, array_fill(proper, array[n]), placed.job_lanes,
    placed.job_costs, array_fill(rank, array[n]), times, array_fill(1::smallint, array[n]),
    array_fill('null'::jsonb, array[n]), clock_timestamp());
  return true;
end
$$;
