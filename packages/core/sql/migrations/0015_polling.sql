-- Workers that poll over HTTP: what they are given, who has polled last, and what they log.
-- Lock cost: new objects, and one row in the small table worker.
-- docs/internals/polling.md tells how it works.

-- All workers that poll have this row, which never runs out; a step that is with one of them has a lease of its own under
-- it, and a row in job_lease which says until when.
insert into lineshaft.worker (id, worker_id, name, build, tags, kinds, queues, slots, lease_ms, lease_until)
overriding system value
values (0, 'remote', 'remote', '', '{}', '{}', '{}', 0, 0, 'infinity');

-- Who polled last for the jobs of a kind and a domain ('': those without). Servers keep it in memory and write it now and
-- then; not worth a crash-safe write.
create unlogged table lineshaft.poll_record (
  kind text not null,
  domain text not null,
  worker_id text not null,
  at timestamptz not null,
  primary key (kind, domain)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

-- What workers logged of steps, a row a line, as bytes, since it is given back as it came: also what no text may hold.
-- `n` counts the lines of a step, `upto` their bytes; the oldest go when there are too many.
create table lineshaft.step_log (
  step_id uuid not null,
  n integer not null,
  upto bigint not null,
  -- As the client said it: some send seconds, some ms.
  created double precision not null,
  line bytea not null
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.2, autovacuum_vacuum_cost_delay = 1);
create index step_log_order on lineshaft.step_log (step_id, n);

-- The queue in which steps wait that workers poll for; null while it is paused.
create function lineshaft.polled_queue()
returns bigint language sql stable as $$
  select q.id from lineshaft.queue q where q.project_id = 1 and q.name = 'workflow' and q.state = 'active'
$$;

-- Takes steps for polls that wait. Pair n asks for steps of kinds[n] and domains[n] (null: those without), counts[n] of
-- them; `holders` has the names of the workers that they go to, those of the first pair first. Exactly the asked domain is
-- looked at. `claim`: a name for this call, by which return_claim undoes it where its answer was lost.
-- Returns a row per step in the order of priority and time within each pair: which pair, the how manyth of it; the step as
-- load_runs.sql has it (null: the job belongs to no run and is to be withdrawn), and of its run what a worker is told. A row
-- without id: of this pair there may be more, which others have locked. `first_ms`: in how long it must be known that
-- the answers were sent (confirm_polled). `beside`: in the transaction of somebody who may have locked counters; then it waits for
-- none, and leaves lanes under limits alone where others have their counters.
-- Locks: rows of ready (skip locked), for lanes under limits also turns and counters as claim_keyed.
-- Index: lane_content, ready_order, step_id.
create function lineshaft.claim_remote(
  kinds text[], domains text[], counts integer[], holders text[], claim text, beside boolean default false
)
returns table (
  pair integer, place integer, id uuid, taken_ms bigint, step json, run_id uuid, definition text, correlation_id text,
  priority smallint, first_ms double precision
)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
  of_queue bigint := lineshaft.polled_queue();
  present timestamptz := clock_timestamp();
  l_id integer[]; l_pair integer[];
  limited integer[]; limited_pair integer[];
  m_id uuid[]; m_pair integer[]; m_place integer[];
  first timestamptz;
  left_over integer[] := counts;
begin
  if of_queue is null then
    return;
  end if;
  select array_agg(l.id), array_agg(p.n::integer) into l_id, l_pair
  from unnest(kinds, domains) with ordinality as p (kind, domain, n)
  cross join lateral (
    select l.id
    from lineshaft.lane l
    where l.queue_id = of_queue and l.kind = p.kind
      and l.requirements = case when p.domain is null then '{}'::text[] else array['domain=' || p.domain] end
      and l.id > 0
    offset 0
  ) l;
  if l_id is null then
    return;
  end if;

  with heads as materialized (
    select a.pair, h.*
    from unnest(l_id, l_pair) as a (lane, pair)
    cross join lateral (
      select r.ctid as spot, r.job_id, - r.priority as rank, r.due, r.seq
      from lineshaft.ready r
      where r.lane = a.lane
      order by r.priority desc, r.due, r.seq
      limit counts[a.pair]
      for update skip locked
    ) h
  ),
  numbered as (
    select h.pair, h.spot, h.job_id, (row_number() over (partition by h.pair order by h.rank, h.due, h.seq))::integer as n
    from heads h
  ),
  chosen as materialized (
    select n.* from numbered n where n.n <= counts[n.pair]
  ),
  taken as (
    delete from lineshaft.ready r where r.ctid = any (array(select c.spot from chosen c)) returning r.job_id
  )
  -- One that was moved while it was waited for stays, for the next claim.
  select array_agg(c.job_id), array_agg(c.pair), array_agg(c.place) into m_id, m_pair, m_place
  from (
    select c.job_id, c.pair, (row_number() over (partition by c.pair order by c.n))::integer as place
    from chosen c
    where case when c.job_id in (select t.job_id from taken t) then true end
  ) c;
  for n in 1 .. coalesce(cardinality(m_id), 0) loop
    left_over[m_pair[n]] := left_over[m_pair[n]] - 1;
  end loop;
  first := lineshaft.lease_remote(m_id, m_pair, m_place, counts, holders, claim, present);

  -- Lanes under limits, as far as they may have something.
  select array_agg(a.lane), array_agg(a.pair) into limited, limited_pair
  from unnest(l_id, l_pair) as a (lane, pair)
  cross join lateral (
    select from lineshaft.turn t where t.base in (a.lane, - a.lane) limit 1
  ) t
  where left_over[a.pair] > 0;
  if limited is not null and (not beside or lineshaft.try_counters(limited)) then
    select m_id || k.ids, m_pair || k.pairs_of, m_place || k.places, least(first, k.first) into m_id, m_pair, m_place, first
    from lineshaft.claim_remote_keyed(limited, limited_pair, counts, left_over, holders, claim, present) k;
  end if;

  -- Others may be at their lanes, and leave something.
  return query
  select a.pair, 0, null::uuid, null::bigint, null::json, null::uuid, null::text, null::text, null::smallint,
    null::double precision
  from unnest(limited, limited_pair) as a (lane, pair)
  where (select count(*) from unnest(m_pair) p where p = a.pair) < counts[a.pair] and lineshaft.has_turns(array[a.lane])
  group by a.pair;

  return query
  select m.pair, m.place, m.id, (date_part('epoch', present) * 1000)::bigint,
    case when r.id is not null then json_build_array(
      s.id, s.seq, s.ref, s.iteration, s.retry_count, s.type, s.name, s.status,
      (date_part('epoch', s.scheduled_at) * 1000)::bigint, (date_part('epoch', s.started_at) * 1000)::bigint,
      (date_part('epoch', s.updated_at) * 1000)::bigint, (date_part('epoch', s.ended_at) * 1000)::bigint,
      s.reason, s.facts, s.definition, lineshaft.document(s.run_id, s.input), lineshaft.document(s.run_id, s.output)
    ) end,
    r.id, r.definition, r.correlation_id, r.priority, extract(epoch from first - present)::double precision * 1000
  from unnest(m_id, m_pair, m_place) as m (id, pair, place)
  left join lateral (select s.* from lineshaft.step s where s.id = m.id limit 1) s on true
  left join lateral (select r.* from lineshaft.run r where r.id = s.run_id limit 1) r on true
  order by m.pair, m.place;
end
$$;

-- Gives jobs that were taken for polls a lease each, and the time that it may take to send the answer; confirm_polled says
-- that it was sent. Returns when that time is over.
create function lineshaft.lease_remote(
  ids uuid[], pairs integer[], places integer[], counts integer[], holders text[], claim text, present timestamptz
)
returns timestamptz language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  starts integer[] := '{}';
  total integer := 0;
  first timestamptz;
begin
  if coalesce(cardinality(ids), 0) = 0 then
    return null;
  end if;
  for n in 1 .. cardinality(counts) loop
    starts[n] := total;
    total := total + counts[n];
  end loop;
  with mine as materialized (
    select j.id, j.fence, holders[starts[t.pair] + t.place] as holder,
      nextval('lineshaft.lease_id_seq') as lease,
      coalesce((j.options #>> '{meta,responseMs}')::integer, 3600000) as lease_ms,
      present + (j.options #>> '{limits,timeoutMs}')::double precision * interval '1 millisecond' as ends
    from unnest(ids, pairs, places) as t (id, pair, place)
    cross join lateral (select k.id, k.fence, k.options from lineshaft.job k where k.id = t.id limit 1) j
  ),
  leased as (
    insert into lineshaft.lease (id, worker, taken_at, job_ids, fences)
    overriding system value
    select m.lease, 0, present, array[m.id], array[m.fence] from mine m
  ),
  timed as (
    insert into lineshaft.job_lease as p (job_id, worker, lease, fence, lease_ms, until, ends, holder, claim)
    select m.id, 0, m.lease, m.fence, m.lease_ms, present + lineshaft.sending_ms() * interval '1 millisecond', m.ends,
      m.holder, claim
    from mine m
    order by m.id
    on conflict (job_id) do update
    set worker = excluded.worker, lease = excluded.lease, fence = excluded.fence, lease_ms = excluded.lease_ms,
      until = excluded.until, ends = excluded.ends, holder = excluded.holder, claim = excluded.claim
    returning p.until
  )
  select min(t.until) into first from timed t;
  return first;
end
$$;

-- Locks the counters of the first turns of lanes proper, as far as nobody else has one of them: false if somebody has. So who
-- holds counters already can go on to claim, whatever the order of both.
create function lineshaft.try_counters(bases integer[])
returns boolean language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  all_mine boolean;
begin
  with needed as materialized (
    select distinct u.limit_id, u.key
    from unnest(bases) as b (base)
    cross join (values (1), (-1)) as s (sign)
    cross join lateral (
      select t.lane from lineshaft.turn t where t.base = b.base * s.sign order by t.priority desc, t.at limit 100
    ) t
    join lineshaft.lane l on l.id = t.lane
    cross join lateral unnest(l.limits, l.keys) as u (limit_id, key)
  )
  select count(*) = count(h.mine) into all_mine
  from needed n
  cross join lateral (
    select from lineshaft.counter k where k.limit_id = n.limit_id and k.key = n.key limit 1
  ) k
  left join lateral (
    select true as mine
    from lineshaft.counter k
    where k.limit_id = n.limit_id and k.key = n.key
    limit 1
    for update skip locked
  ) h on true;
  return all_mine;
end
$$;

-- The part of claim_remote for lanes under limits. It asks once: asking again would lock counters out of their order.
create function lineshaft.claim_remote_keyed(
  lanes integer[], pairs integer[], counts integer[], left_over integer[], holders text[], claim text, present timestamptz,
  out ids uuid[], out pairs_of integer[], out places integer[], out first timestamptz
)
language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  one record;
  p integer;
begin
  ids := '{}';
  pairs_of := '{}';
  places := '{}';
  for one in select k.* from lineshaft.claim_keyed(0, lanes, pairs, left_over, 100, true) k where k.id is not null loop
    -- Each has a lease of its own: they end one by one.
    if cardinality(ids) = 0 then
      delete from lineshaft.lease l where l.id = one.lease;
    end if;
    p := pairs[array_position(lanes, one.lane)];
    ids := ids || one.id;
    pairs_of := pairs_of || p;
    places := places || (counts[p] - left_over[p] + 1);
    left_over[p] := left_over[p] - 1;
  end loop;
  first := lineshaft.lease_remote(ids, pairs_of, places, counts, holders, claim, present);
end
$$;

-- Puts steps back that were taken for polls whose clients went away: nobody has seen them. Returns how many.
create function lineshaft.return_polled(ids uuid[])
returns integer language plpgsql as $$
declare
  leases bigint[];
begin
  leases := array(
    select p.lease from lineshaft.job_lease p where p.job_id = any (ids) and p.worker = 0 order by p.lease
  );
  if cardinality(leases) = 0 then
    return 0;
  end if;
  perform from lineshaft.lease l where l.id = any (leases) order by l.id for update;
  delete from lineshaft.job_lease p where p.job_id = any (ids) and p.worker = 0 and p.lease = any (leases);
  return lineshaft.return_leases(0, leases);
end
$$;

-- The same for a whole call of claim_remote whose answer was lost. It reads all of job_lease, which is seldom needed.
create function lineshaft.return_claim(of_claim text)
returns integer language sql as $$
  select lineshaft.return_polled(array(select p.job_id from lineshaft.job_lease p where p.claim = of_claim and p.worker = 0))
$$;

-- Says of steps that were taken for polls whether the answer was sent: then their workers have the time of their tasks, from
-- when they were taken; or that it is still on its way. Only of those that these calls of claim_remote still have.
-- Returns in how many ms the first of them must be heard of; null: none of them is there. Locks: job_lease, by id.
create function lineshaft.confirm_polled(ids uuid[], claims text[], sent boolean[])
returns double precision language sql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
  with mine as materialized (
    select k.job_id, k.lease, t.sent
    from unnest(ids, claims, sent) as t (id, claim, sent)
    cross join lateral (
      select p.job_id, p.lease from lineshaft.job_lease p where p.job_id = t.id and p.claim = t.claim limit 1 for update
    ) k
  ),
  told as (
    update lineshaft.job_lease p
    set claim = case when not m.sent then p.claim end,
      until = case
        when m.sent then least(l.taken_at + p.lease_ms * interval '1 millisecond', p.ends)
        else clock_timestamp() + lineshaft.sending_ms() * interval '1 millisecond'
      end
    from mine m
    cross join lateral (select l.taken_at from lineshaft.lease l where l.id = m.lease limit 1) l
    where p.job_id = m.job_id
    returning p.until
  )
  select extract(epoch from min(t.until) - clock_timestamp())::double precision * 1000 from told t
$$;

-- Says that the workers of these steps live; until the time-out of the attempt at most. Returns those that it was said of.
create function lineshaft.extend_polled(ids uuid[])
returns table (job_id uuid) language sql as $$
  update lineshaft.job_lease p
  set until = least(clock_timestamp() + p.lease_ms * interval '1 millisecond', p.ends), claim = null
  where p.job_id = any (ids)
  returning p.job_id
$$;

-- Keeps log lines of steps, in their order; line n is that of step owners[n]. Lines of steps that are not there are dropped.
-- Of each step at most `most_lines` and about `most_bytes` are kept: the newest.
create function lineshaft.add_logs(
  owners uuid[], times double precision[], lines bytea[], most_lines integer, most_bytes bigint
)
returns integer language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  written integer;
begin
  with given as (
    select t.step_id, t.created, t.line, row_number() over w as k, sum(octet_length(t.line)) over w as bytes
    from unnest(owners, times, lines) with ordinality as t (step_id, created, line, i)
    window w as (partition by t.step_id order by t.i)
  ),
  last as materialized (
    select o.step_id, coalesce(l.n, 0) as n, coalesce(l.upto, 0) as upto
    from (select distinct step_id from unnest(owners) as x (step_id)) o
    join lineshaft.step s on s.id = o.step_id
    left join lateral (
      select l.n, l.upto from lineshaft.step_log l where l.step_id = o.step_id order by l.n desc limit 1
    ) l on true
  ),
  added as (
    insert into lineshaft.step_log (step_id, n, upto, created, line)
    select g.step_id, a.n + g.k, a.upto + g.bytes, g.created, g.line
    from given g
    join last a on a.step_id = g.step_id
    order by g.step_id, g.k
    returning step_log.step_id
  )
  select count(*) into written from added;
  -- Those that have more than is kept: by where their last line is and where their first.
  delete from lineshaft.step_log l
  where l.ctid = any (array(
    select old.ctid
    from (select distinct step_id from unnest(owners) as x (step_id)) o
    cross join lateral (
      select l.n, l.upto from lineshaft.step_log l where l.step_id = o.step_id order by l.n desc limit 1
    ) e
    cross join lateral (
      select l.ctid from lineshaft.step_log l
      where l.step_id = o.step_id and (l.n <= e.n - most_lines or (l.upto <= e.upto - most_bytes and l.n < e.n))
      offset 0
    ) old
    where e.n > most_lines or e.upto > most_bytes
  ));
  return written;
end
$$;

-- A number of a task definition that means something: above 0.
create function lineshaft.task_number(value json, most integer)
returns integer language sql immutable as $$
  select case
    when json_typeof(value) = 'number' and value::text::numeric >= 1 then least(value::text::numeric, most)::integer
  end
$$;

-- Makes the limits of a task definition be what it says: how many of its steps run at once (concurrentExecLimit), and how many
-- are handed out in a time (rateLimitPerFrequency), in whatever run, to whatever worker. Without either it has none.
-- `of_kind`: the kind of its jobs. Returns whether something has changed: then waiting jobs are to be moved (relane).
create function lineshaft.limit_task(of_task text, of_kind text, definition json)
returns boolean language plpgsql as $$
declare
  -- A name of its own, readable where that may be.
  of_limit text := 'task.' || case
    when of_task ~ '^[A-Za-z0-9_.-]{1,58}$' then of_task
    else left(regexp_replace(of_task, '[^A-Za-z0-9_.-]', '_', 'g'), 25) || '-' || md5(of_task)
  end;
  before lineshaft.limit;
  at_once integer := lineshaft.task_number(definition -> 'concurrentExecLimit', 1000000000);
  per_time integer := lineshaft.task_number(definition -> 'rateLimitPerFrequency', 1000000000);
  period double precision := 1000.0 * coalesce(lineshaft.task_number(definition -> 'rateLimitFrequencyInSeconds', 315360000), 1);
begin
  select l.* into before from lineshaft.limit l where l.project_id = 1 and l.name = of_limit;
  if at_once is null and per_time is null then
    return lineshaft.delete_limit('default', of_limit);
  end if;
  if before.concurrency is not distinct from at_once and before.rate is not distinct from per_time
    and (per_time is null or before.period_ms = period) and before.kinds = array[of_kind] then
    return false;
  end if;
  perform lineshaft.declare_limit('default', of_limit, jsonb_build_object(
    'concurrency', at_once, 'rate', per_time, 'period_ms', case when per_time is not null then period end,
    'burst', per_time, 'sliding', per_time is not null, 'queues', array['workflow'], 'kinds', array[of_kind]
  ));
  return true;
end
$$;
