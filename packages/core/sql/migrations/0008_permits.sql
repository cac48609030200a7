-- Permits: claims under limits, and what frees the room again. A job has its permits while it runs: the fence of its
-- row, by which exactly one writer ends an attempt, also counts down exactly once. Only a FIFO limit writes down who
-- holds it, since a job keeps its key while it waits for its next attempt.
-- Lock order: worker, lease, job, where jobs wait, and counters last: keyed ones by limit and key, then those that all share. Claims take turns and rows of
-- ready by skipping what is locked, and so never wait while they hold one of those.
-- Lock cost: new objects only: functions.

-- Opens parked lanes as far as there is room in their counters, which the caller has locked, and says when time alone
-- makes room for the others. `forced` opens all, to be judged anew. Returns the queues that may go on.
-- A job that ends makes room in several counters, of its key and of all, and lanes wait for either. Where the lanes of several
-- share one counter that has not enough for them, those that have waited for less time go on to wait for that one, without
-- a claim that would look at them in vain.
create function lineshaft.unpark(limits integer[], keys text[], forced boolean default false)
returns bigint[] language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  queues bigint[];
  present timestamptz := clock_timestamp();
  p_limit integer[];
  p_key text[];
  opened_lanes integer[];
  keeps boolean;
  timed boolean;
begin
  select array_agg(p.limit_id), array_agg(p.key) into p_limit, p_key
  from unnest(limits, keys) as p (limit_id, key)
  cross join lateral (select from lineshaft.parked k where k.limit_id = p.limit_id and k.key = p.key limit 1) k;
  if p_limit is null then
    return '{}';
  end if;

  with roomy as materialized (
    select p.limit_id, p.key, c.short_lane, g.most,
      case when forced or l.id is null then 1000000000 else lineshaft.room_of(c, e.concurrency, e.per_ms, e.burst, present) end as room,
      case when forced or l.id is null or c.short_lane is null then 0 else lineshaft.held_back(c, g.most, present) end as held,
      e.per_ms is not null or c.closed_until is not null or c.wake_at is not null
        or c.short_lane is not null or c.short_opened is not null as timed
    from unnest(limits, keys) as p (limit_id, key)
    left join lateral (
      select * from lineshaft.counter c where c.limit_id = p.limit_id and c.key = p.key limit 1
    ) c on true
    left join lineshaft.limit l on l.id = p.limit_id
    left join lateral lineshaft.terms_of(l, p.key) e on true
    -- What needs more than there ever is goes alone, also where that has become less. Of a FIFO limit a need of 2 means: only
    -- when it is judged anew.
    cross join lateral (
      select case when l.fifo then 1000000000 else least(
        coalesce(e.concurrency, 1000000000), case when e.per_ms is null then 1000000000 else floor(e.burst)::integer end
      ) end as most
    ) g
  ),
  candidate as materialized (
    select h.place, h.lane, h.priority, h.at, h.need
    from roomy r
    cross join lateral (
      (
        select k.ctid as place, k.lane, k.priority, k.at, k.need
        from lineshaft.parked k
        where k.limit_id = r.limit_id and k.key = r.key and (least(k.need, greatest(r.most, 1)) <= r.room - r.held or forced)
        order by k.priority desc, k.at
        limit greatest(r.room - r.held, 0)
      )
      union all
      (
        select k.ctid as place, k.lane, k.priority, k.at, k.need
        from lineshaft.parked k
        where r.held > 0 and k.lane = r.short_lane and k.limit_id = r.limit_id and k.key = r.key
          and least(k.need, greatest(r.most, 1)) <= r.room
      )
    ) h
  ),
  -- Which of these counters a candidate needs room of, where each needs one unit and no order is to be kept. Not counters in
  -- which time makes room: a claim that parks a lane there also says when to wake it.
  wanting as materialized (
    select c.place, c.priority, c.at, r.limit_id, r.key, r.room
    from candidate c
    cross join lateral (
      select o.limits, o.keys, o.fifo is not null or o.fair is not null as ordered from lineshaft.lane o where o.id = c.lane limit 1
    ) l
    cross join lateral unnest(l.limits, l.keys) as u (limit_id, key)
    join roomy r on r.limit_id = u.limit_id and r.key = u.key
    where not forced and cardinality(unpark.limits) > 1 and not l.ordered and c.need = 1 and not r.timed
  ),
  crowded as materialized (
    select w.limit_id, w.key, w.room from wanting w group by 1, 2, 3 having count(*) > w.room
  ),
  -- Of several such counters a claim finds out who may go.
  left_waiting as materialized (
    select x.place, x.limit_id, x.key
    from (
      select w.place, w.limit_id, w.key, row_number() over (order by w.priority desc, w.at, w.place) as n, c.room
      from wanting w
      join crowded c on c.limit_id = w.limit_id and c.key = w.key
      where (select count(*) from crowded) = 1
    ) x
    where x.n > x.room
  ),
  passed_on as (
    update lineshaft.parked k
    set limit_id = w.limit_id, key = w.key
    from left_waiting w
    where k.ctid = w.place and (k.limit_id <> w.limit_id or k.key <> w.key)
  ),
  moved as (
    delete from lineshaft.parked k
    where k.ctid = any (array(select c.place from candidate c where c.place <> all (array(select w.place from left_waiting w))))
    returning k.base, k.priority, k.at, k.lane
  ),
  opened as (
    insert into lineshaft.turn (base, priority, at, lane)
    select m.base, m.priority, m.at, m.lane from moved m
  )
  select array_agg(distinct l.queue_id), array_agg(m.lane), (select bool_or(r.short_lane is not null) from roomy r),
    (select bool_or(r.timed) from roomy r)
  into queues, opened_lanes, keeps, timed
  from moved m
  join lineshaft.lane l on l.id = m.base;
  if keeps then
    update lineshaft.counter c
    set short_opened = present
    from unnest(p_limit, p_key) as p (limit_id, key)
    cross join lateral (
      select k.ctid as place from lineshaft.counter k where k.limit_id = p.limit_id and k.key = p.key limit 1
    ) k
    where c.ctid = k.place and c.short_lane = any (opened_lanes);
  end if;

  if not timed then
    return coalesce(queues, '{}');
  end if;
  -- What still waits for tokens, or for an end of being closed, is woken by the clock.
  with wake as materialized (
    select c.place, c.wake_at as before, least(case
        when c.closed_until > present then c.closed_until
        when e.per_ms is not null and t.tokens < coalesce(nullif(h.held, 0), n.need)
        then lineshaft.tokens_due(c.whole, e.per_ms, e.burst, t.tokens, coalesce(nullif(h.held, 0), n.need), present)
      end,
      -- Nobody may be there to take what was kept.
      case when h.held > 0 and c.short_opened > present - interval '5 s' then c.short_opened + interval '5001 ms' end
    ) as wake_at
    from unnest(p_limit, p_key) as p (limit_id, key)
    cross join lateral (
      select k.ctid as place, k as whole, k.* from lineshaft.counter k where k.limit_id = p.limit_id and k.key = p.key limit 1
    ) c
    join lineshaft.limit l on l.id = c.limit_id
    cross join lateral lineshaft.terms_of(l, c.key) e
    cross join lateral (select lineshaft.tokens_of(c.whole, e.per_ms, e.burst, present) as tokens) t
    cross join lateral (
      select case
        when c.short_lane is null then 0
        else lineshaft.held_back(c.whole, case when e.per_ms is null then 1000000000 else floor(e.burst)::integer end, present)
      end as held
    ) h
    left join lateral (
      select least(k.need, greatest(e.burst, 1)) as need
      from lineshaft.parked k
      where k.limit_id = c.limit_id and k.key = c.key
      order by k.priority desc, k.at
      limit 1
    ) n on true
    where e.per_ms is not null or c.closed_until is not null or c.wake_at is not null or c.short_opened is not null
  )
  update lineshaft.counter c
  set wake_at = w.wake_at
  from wake w
  where c.ctid = w.place and w.before is distinct from w.wake_at;
  return coalesce(queues, '{}');
end
$$;

-- Gives room back for jobs that stopped running or are final; called once for each, last in its transaction. Opens
-- the lanes that waited for it, and wakes workers.
create function lineshaft.release(jobs lineshaft.freed[])
returns void language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  limits integer[];
  keys text[];
  units integer[];
  in_order boolean;
  force_limits integer[];
  force_keys text[];
  queues bigint[];
begin
  with of_lane as (
    select f.lane, f.costs, sum(cardinality(f.jobs)) filter (where f.how <> 'g') as n
    from unnest(jobs) as f
    where f.lane < 0
    group by 1, 2
  ),
  amount as (
    select u.limit_id, u.key, sum(case when u.limit_id = l.fifo then 0 else o.n * coalesce(u.cost, 1) end)::integer as n,
      bool_or(l.fifo is not null) as in_order
    from of_lane o
    join lineshaft.lane l on l.id = o.lane
    cross join lateral unnest(l.limits, l.keys, o.costs) as u (limit_id, key, cost)
    where o.n > 0 or u.limit_id = l.fifo
    group by 1, 2
  ),
  held as materialized (
    -- A look-up for each, in their order: plans are made once, perhaps while the table is empty.
    select c.limit_id, c.key, a.n, a.in_order
    from (select * from amount a order by a.key = '', a.limit_id, a.key collate "C" offset 0) a
    cross join lateral (
      select c.limit_id, c.key
      from lineshaft.counter c
      where c.limit_id = a.limit_id and c.key = a.key
      limit 1
      for update
    ) c
  )
  select array_agg(h.limit_id), array_agg(h.key), array_agg(h.n), bool_or(h.in_order)
  into limits, keys, units, in_order
  from held h;
  if limits is null then
    return;
  end if;

  -- By their places, which stay while they are locked.
  update lineshaft.counter c
  set used = greatest(c.used - a.n, 0)
  from (
    select c.place, a.n
    from unnest(limits, keys, units) as a (limit_id, key, n)
    cross join lateral (
      select c.ctid as place from lineshaft.counter c where c.limit_id = a.limit_id and c.key = a.key limit 1
    ) c
    where a.n > 0
  ) a
  where c.ctid = a.place;

  -- Of a FIFO limit all lanes are judged anew: the job that went may have been the one that another lane waited behind.
  if in_order then
    with over as (
      select l.fifo, l.fifo_key, j.job_id
      from unnest(jobs) as f
      cross join lateral unnest(f.jobs) as j (job_id)
      join lineshaft.lane l on l.id = f.lane
      where f.how <> 's' and l.fifo is not null
    ),
    freed as (
      update lineshaft.counter c
      set used = 0, holder = null
      from over o
      cross join lateral (
        select k.ctid as place from lineshaft.counter k where k.limit_id = o.fifo and k.key = o.fifo_key limit 1
      ) k
      where c.ctid = k.place and c.holder = o.job_id
    )
    select array_agg(o.fifo), array_agg(o.fifo_key) into force_limits, force_keys from over o;
  end if;
  -- Who parks a lane has its counter locked, so all that were parked for want of this room are seen now.
  if exists (select from lineshaft.parked) then
    queues := lineshaft.unpark(limits, keys);
    if force_limits is not null then
      queues := queues || lineshaft.unpark(force_limits, force_keys, true);
    end if;
    perform lineshaft.wake(queues, false, 'room');
  end if;
end
$$;

-- Settles what ended attempts said of the limits of their jobs, whose counters the caller has locked by `release` in the same
-- transaction: `spent`, the real cost of a rate, in place of what was taken at the claim; `closedMs`, nothing starts for so
-- long. A line names its limit, or means the one whose cost is in the payload, or else the only one with a rate; to close also
-- the only one that the job is under. Returns the names of those that were not found (empty: there was no such one).
create function lineshaft.settle_limits(said json)
returns table (limit_name text) language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
#variable_conflict use_column
declare
  one record;
  present timestamptz := clock_timestamp();
  p_limit integer[] := '{}';
  p_key text[] := '{}';
  p_back double precision[] := '{}';
  p_closed double precision[] := '{}';
begin
  for one in
    select s."limit" as name, f.limit_id, f.key, f.rated, case when f.rated then f.cost - s.spent end as back, s."closedMs" as closed
    from json_to_recordset(said) as s (lane integer, costs integer[], "limit" text, spent double precision, "closedMs" double precision)
    join lineshaft.lane l on l.id = s.lane
    left join lateral (
      select r.*
      from (
        select u.limit_id, u.key, coalesce(u.cost, 1) as cost, x.rated, x.rank, count(*) over (partition by x.rank) as alike
        from unnest(l.limits, l.keys, s.costs) as u (limit_id, key, cost)
        join lineshaft.limit m on m.id = u.limit_id
        cross join lateral lineshaft.terms_of(m, u.key) e
        cross join lateral (
          select e.per_ms is not null as rated,
            case when e.per_ms is null then 3 when m.cost_path is not null then 1 else 2 end as rank
        ) x
        where s."limit" is null or m.name = s."limit"
      ) r
      where r.rated or s."closedMs" is not null
      order by r.rank
      limit 1
    ) f on f.alike = 1
  loop
    if one.limit_id is null then
      limit_name := coalesce(one.name, '');
      return next;
    else
      p_limit := p_limit || one.limit_id;
      p_key := p_key || one.key;
      p_back := p_back || coalesce(one.back, 0);
      p_closed := p_closed || one.closed;
    end if;
  end loop;

  for one in
    select k.place, a.back, a.closed, e.per_ms, e.burst
    from (
      select p.limit_id, p.key, sum(p.back) as back, max(p.closed) as closed
      from unnest(p_limit, p_key, p_back, p_closed) as p (limit_id, key, back, closed)
      group by 1, 2
    ) a
    join lineshaft.limit m on m.id = a.limit_id
    cross join lateral lineshaft.terms_of(m, a.key) e
    cross join lateral (
      select k.ctid as place from lineshaft.counter k where k.limit_id = a.limit_id and k.key = a.key limit 1
    ) k
  loop
    update lineshaft.counter k
    -- A sliding limit counts starts, whatever they cost in the end.
    set tokens = case when one.per_ms is null or k.spent_at is not null then k.tokens
        else lineshaft.tokens_of(k, one.per_ms, one.burst, present) + one.back end,
      refilled_at = case when one.per_ms is null then k.refilled_at else present end,
      -- Who was told of a later end is right.
      closed_until = greatest(k.closed_until, present + one.closed * interval '1 millisecond')
    where k.ctid = one.place;
  end loop;
  perform lineshaft.wake(lineshaft.unpark(p_limit, p_key), false, 'room');
end
$$;
