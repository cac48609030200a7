-- The claim under limits. Its cost depends on the lanes and jobs that it takes, not on what waits: lanes whose
-- counters are full are parked and not looked at again before there is room.
-- Lock cost: new objects only: functions.

-- Takes jobs of keyed lanes under one new lease, as many as limits and rooms allow. `bases` are the lanes proper that
-- the worker may run, `groups` (from 1) the queue of each, `rooms` how many jobs it takes of each queue. Of each base
-- at most `most_lanes` turns are looked at; lanes share the room of their queue.
-- The last row says how it went: `lane` keyed lanes were looked at, `created` is 1 where turns are left, `keyed` jobs were
-- taken, `payload`: in how many ms time alone makes room, `rest`: whether a limit had a say (null: there was nothing).
-- Where none has, neither order nor turns have to be kept: lanes are taken as a set, and their counters, which other claims
-- and the ends of jobs need, are locked at the very end. They say before anything is written whether it is so, and
-- again once they are locked. Otherwise, or where the caller knows that limits bind (`careful`), claim_carefully decides
-- job by job what may go, under its counters' locks.
create function lineshaft.claim_keyed(
  of_worker bigint, bases integer[], groups integer[], rooms integer[], most_lanes integer, careful boolean
)
returns table (lease bigint, id uuid, lane integer, created bigint, payload json, rest json, keyed integer)
-- A plan for each call, made for its very arrays, would cost more than running it; and any join but a nested loop by index
-- would read all that there is of a table.
language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off
set enable_mergejoin = off as $$
#variable_conflict use_column
declare
  -- Turns (t), lanes in the order of their turns (l), jobs to take (h), how many of each lane (g), and of what costs (w),
  -- counters (c).
  t_place tid[]; t_lane integer[];
  l_id integer[]; l_base integer[]; l_share integer[]; l_stale integer[]; l_kept integer[];
  h_place tid[]; h_id uuid[];
  g_lane integer[]; g_base integer[]; g_jobs bigint[];
  w_lane integer[]; w_costs text[]; w_jobs bigint[];
  c_limit integer[]; c_key text[]; c_units integer[]; c_new boolean[];
  bound boolean; weighted boolean; fits boolean;
  claimed integer := 0;
  present timestamptz := clock_timestamp();
begin
  if careful then
    return query select c.* from lineshaft.claim_carefully(of_worker, bases, groups, rooms, most_lanes) c;
    return;
  end if;

  with looked as materialized (
    select t.place, t.lane, t.priority, t.at, b.base, b.grp
    from (
      select b.base, b.grp, s.sign
      from unnest(bases, groups) as b (base, grp)
      cross join (values (1), (-1)) as s (sign)
    ) b
    cross join lateral (
      select t.ctid as place, t.lane, t.priority, t.at
      from lineshaft.turn t
      where t.base = b.base * b.sign
      order by t.priority desc, t.at
      limit most_lanes
      for update skip locked
    ) t
  ),
  one as materialized (
    select k.lane, min(k.base) as base, min(k.grp) as grp, max(k.priority) as priority, min(k.at) as at
    from looked k
    group by k.lane
  ),
  -- A lane has a turn for each time that jobs were put into it; most find that earlier turns have taken them.
  judged as materialized (
    select o.lane, o.base, o.grp, o.priority, o.at, l.weighted, l.fifo is not null or l.fair is not null as ordered,
      l.id is not null and r.filled is not null as filled
    from one o
    left join lineshaft.lane l on l.id = o.lane
    left join lateral (select true as filled from lineshaft.ready r where r.lane = o.lane limit 1) r on true
  ),
  ranked as (
    select j.*, row_number() over (partition by j.base order by j.priority desc, j.at, j.lane) as rank
    from judged j
    where j.filled
  ),
  placed as (
    select r.*, row_number() over (partition by r.grp order by r.priority desc, r.rank, r.lane) as n,
      count(*) over (partition by r.grp) as lanes
    from ranked r
  )
  select (select array_agg(k.place) from looked k), (select array_agg(k.lane) from looked k),
    (select array_agg(j.lane) from judged j where not j.filled),
    array_agg(x.lane), array_agg(x.base), array_agg(x.share), (select bool_or(j.weighted) from judged j),
    coalesce(bool_or(x.ordered), false)
  into t_place, t_lane, l_stale, l_id, l_base, l_share, weighted, bound
  from (
    select p.lane, p.base, p.ordered,
      (rooms[p.grp] / p.lanes + case when p.n <= rooms[p.grp] % p.lanes then 1 else 0 end)::integer as share
    from placed p
    order by p.n
  ) x;

  if l_stale is not null and not bound and (weighted or exists (select from lineshaft.parked)) then
    -- Others may wait for the room that a lane which is empty now was opened for, or that is kept for it.
    bound := exists (
      select
      from unnest(l_stale) as s (lane)
      join lineshaft.lane l on l.id = s.lane
      cross join lateral unnest(l.limits, l.keys) as u (limit_id, key)
      cross join lateral (
        (select 1 from lineshaft.parked p where p.limit_id = u.limit_id and p.key = u.key limit 1)
        union all
        (
          select 1
          from lineshaft.counter k
          where k.limit_id = u.limit_id and k.key = u.key and k.short_lane = s.lane
          limit 1
        )
      ) w
    );
  end if;
  if l_id is not null and not bound then
    -- A lateral join with a limit is a nested loop: rows come in order within each lane.
    with head as materialized (
      select a.n, a.lane, a.base, r.place, r.job_id
      from unnest(l_id, l_base, l_share) with ordinality as a (lane, base, share, n)
      left join lateral (
        select r.ctid as place, r.job_id, r.priority, r.due, r.seq
        from lineshaft.ready r
        where r.lane = a.lane
        order by r.priority desc, r.due, r.seq
        limit a.share
        for update skip locked
      ) r on true
    )
    select h.places, h.ids, g.lanes, g.bases, g.jobs, g.kept
    into h_place, h_id, g_lane, g_base, g_jobs, l_kept
    from (
      select array_agg(e.place) as places, array_agg(e.job_id) as ids from head e where e.place is not null
    ) h
    cross join (
      select array_agg(g.lane) filter (where g.jobs > 0) as lanes, array_agg(g.base) filter (where g.jobs > 0) as bases,
        array_agg(g.jobs) filter (where g.jobs > 0) as jobs, array_agg(g.lane) filter (where g.jobs = 0) as kept
      from (select e.lane, min(e.base) as base, count(e.place) as jobs from head e group by e.n, e.lane) g
    ) g;
    w_lane := g_lane;
    w_jobs := g_jobs;
    if weighted and h_id is not null then
      select array_agg(w.lane), array_agg(w.costs::text), array_agg(w.jobs) into w_lane, w_costs, w_jobs
      from (
        select j.lane, j.costs, count(*) as jobs
        from lineshaft.job j
        where j.id = any (h_id)
        group by 1, 2
      ) w;
    end if;

    select array_agg(x.limit_id), array_agg(x.key), array_agg(least(x.units, 2000000000)::integer), array_agg(x.fresh),
      coalesce(bool_or(x.units >= x.room or x.kept), false)
    into c_limit, c_key, c_units, c_new, bound
    from (
      select a.limit_id, a.key, a.units, k.limit_id is null as fresh, k.short_lane is not null or p.parked as kept,
        case
          when k.limit_id is not null then lineshaft.room_of(k, e.concurrency, e.per_ms, e.burst, present)
          else least(
            coalesce(e.concurrency, 1000000000), case when e.per_ms is null then 1000000000 else floor(e.burst)::integer end
          )
        end as room
      from (
        select u.limit_id, u.key, sum(w.jobs * coalesce(u.cost, 1))::bigint as units
        from unnest(w_lane, w_costs, w_jobs) as w (lane, costs, jobs)
        join lineshaft.lane l on l.id = w.lane
        cross join lateral unnest(l.limits, l.keys, w.costs::integer[]) as u (limit_id, key, cost)
        group by 1, 2
      ) a
      join lineshaft.limit m on m.id = a.limit_id
      cross join lateral lineshaft.terms_of(m, a.key) e
      -- A look-up for each, here and below, by a lateral query with a limit: plans are made once, perhaps while the table is
      -- empty, and any other join would go on to read all of it.
      left join lateral (
        select * from lineshaft.counter k where k.limit_id = a.limit_id and k.key = a.key limit 1
      ) k on true
      left join lateral (
        select true as parked from lineshaft.parked p where p.limit_id = a.limit_id and p.key = a.key limit 1
      ) p on true
    ) x;
  end if;
  if bound then
    return query select c.* from lineshaft.claim_carefully(of_worker, bases, groups, rooms, most_lanes) c;
    return;
  end if;

  if h_id is not null then
    return query
    with taken as (
      delete from lineshaft.ready r where r.ctid = any (h_place)
    ),
    mine as materialized (
      select j.*,
        case when cardinality(bases) = 1 then bases[1] else (select l.base from lineshaft.lane l where l.id = j.lane limit 1) end as base
      from lineshaft.job j
      where j.id = any (h_id)
      order by j.priority desc, j.due, j.seq
    ),
    leased as (
      -- Refers to the worker's row: one that is not known any more claims nothing.
      insert into lineshaft.lease (worker, job_ids, fences)
      select of_worker, array_agg(m.id), array_agg(m.fence) from mine m having count(*) > 0
      returning lease.id
    )
    select d.id, m.id, m.base, (date_part('epoch', m.created_at) * 1000)::bigint, m.payload,
      case
        when m.fence = 0 and m.version = 1 and m.options is null and m.due = m.created_at and m.costs is null then null
        else json_build_array(
          m.fence, m.attempt, m.rescued, m.version, m.options, m.errors,
          (extract(epoch from m.due - m.created_at) * 1000)::bigint, m.costs
        )
      end,
      m.lane
    from leased d
    cross join mine m;
    get diagnostics claimed = row_count;
    if claimed <> cardinality(h_id) then
      raise data_corrupted using message = 'rows of ready without a job';
    end if;
  end if;
  -- Lanes of whose jobs others have a hold keep their turns; of the others those that have more get a new one.
  if t_place is not null then
    delete from lineshaft.turn t
    where t.ctid = any (array(
      select p.place from unnest(t_place, t_lane) as p (place, lane) where p.lane <> all (coalesce(l_kept, '{}'))
    ));
    insert into lineshaft.turn (base, priority, at, lane)
    select g.base, r.priority, extract(epoch from present), g.lane
    from unnest(g_lane, g_base) as g (lane, base)
    cross join lateral (
      select r.priority from lineshaft.ready r where r.lane = g.lane order by r.priority desc limit 1
    ) r;
  end if;
  if c_limit is not null then
    if true = any (c_new) then
      insert into lineshaft.counter (limit_id, key)
      select a.limit_id, a.key from unnest(c_limit, c_key, c_new) as a (limit_id, key, fresh) where a.fresh
      order by 1, 2
      on conflict do nothing;
    end if;
    perform lineshaft.lock_counters(c_limit, c_key);
    fits := lineshaft.count_up(c_limit, c_key, c_units, null, null, clock_timestamp());
    if not fits then
      raise serialization_failure using message = 'the room of a limit went to others at this moment';
    end if;
  end if;

  lease := null;
  id := null;
  lane := coalesce(cardinality(l_id), 0) + coalesce(cardinality(l_stale), 0) - coalesce(cardinality(l_kept), 0);
  created := case when lineshaft.has_turns(bases) then 1 else 0 end;
  payload := null;
  rest := case when claimed > 0 then 'false'::json end;
  keyed := claimed;
  return next;
end
$$;

-- The claim where limits bind, in claim_keyed's terms: who goes is decided lane by lane under the locks of the counters.
create function lineshaft.claim_carefully(
  of_worker bigint, bases integer[], groups integer[], rooms integer[], most_lanes integer
)
returns table (lease bigint, id uuid, lane integer, created bigint, payload json, rest json, keyed integer)
language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
#variable_conflict use_column
declare
  present timestamptz;
  -- Of counters besides: what is kept for the lane that is short of room, which, whether another may take its place.
  c_held integer[]; c_short integer[]; c_short_need integer[]; c_short_since timestamptz[]; c_vacant boolean[]; c_told boolean[];
  -- Time alone may make room in it.
  c_timed boolean[];
  avail integer;
  -- Turns (t), counters (c), lanes (l) in the order of their turns, jobs at the heads of lanes (h), of FIFO lanes (f).
  t_place tid[]; t_lane integer[]; t_base integer[]; t_priority smallint[]; t_at double precision[]; t_fresh boolean[];
  lanes integer[];
  p_limit integer[]; p_key text[];
  c_limit integer[]; c_key text[]; c_room integer[]; c_most integer[]; c_at double precision[];
  c_weight double precision[]; c_holder uuid[]; c_units integer[]; c_taken_by uuid[]; c_parks boolean[];
  l_id integer[]; l_base integer[]; l_group integer[]; l_at double precision[]; l_fifo integer[]; l_fair integer[];
  l_weighted boolean[]; l_share integer[]; l_first integer[]; l_last integer[]; l_counters integer[];
  l_slots integer[];
  l_cap integer[]; l_start integer[]; l_take integer[]; l_reached boolean[]; l_block integer[]; l_need integer[];
  l_next smallint[];
  h_place tid[]; h_lane integer[]; h_id uuid[]; h_costs text[];
  f_place tid[]; f_id uuid[]; f_behind boolean[];
  places tid[]; unreached integer[]; bound boolean;
  costs integer[];
  heads integer; pointer integer := 1; got integer; take integer; cap integer; need integer; c integer; g integer;
  fits boolean; start double precision; claimed integer;
begin
  select array_agg(t.place), array_agg(t.lane), array_agg(a.base), array_agg(t.priority), array_agg(t.at), array_agg(a.sign < 0)
  into t_place, t_lane, t_base, t_priority, t_at, t_fresh
  from (select b.base, s.sign from unnest(bases) as b (base) cross join (values (1), (-1)) as s (sign)) a
  cross join lateral (
    select t.ctid as place, t.lane, t.priority, t.at
    from lineshaft.turn t
    where t.base = a.base * a.sign
    order by t.priority desc, t.at
    limit most_lanes
    for update skip locked
  ) t;
  if t_place is null then
    lane := 0;
    created := case when lineshaft.has_turns(bases) then 1 else 0 end;
    return next;
    return;
  end if;
  -- Before the counters, since who rescues the worker has its row when he comes to them.
  perform from lineshaft.worker w where w.id = of_worker for key share;
  if not found then
    raise foreign_key_violation using message = 'this worker is not known any more';
  end if;

  -- Counters that are new are made before the first is locked.
  lanes := array(select distinct x from unnest(t_lane) x);
  select array_agg(p.limit_id), array_agg(p.key) into p_limit, p_key
  from (
    select u.limit_id, u.key
    from unnest(lanes) as t (lane)
    join lineshaft.lane l on l.id = t.lane
    cross join lateral unnest(l.limits, l.keys) as u (limit_id, key)
    join lineshaft.limit m on m.id = u.limit_id
    group by 1, 2
  ) p;
  insert into lineshaft.counter (limit_id, key)
  select p.limit_id, p.key
  from unnest(p_limit, p_key) as p (limit_id, key)
  -- A look-up for each, here and below, by a lateral query with a limit: plans are made once, perhaps while the table is
  -- empty, and any other join would go on to read all of it.
  left join lateral (
    select true as known from lineshaft.counter k where k.limit_id = p.limit_id and k.key = p.key limit 1
  ) k on true
  where k.known is null
  order by 1, 2
  on conflict do nothing;
  perform lineshaft.lock_counters(p_limit, p_key);
  -- What they say is read by a statement of its own, once all are locked.
  present := clock_timestamp();
  select array_agg(x.limit_id), array_agg(x.key), array_agg(x.room), array_agg(x.most), array_agg(x.at),
    array_agg(x.weight), array_agg(x.holder), array_agg(0), array_agg(null::uuid), array_agg(false), array_agg(x.held),
    array_agg(x.short_lane), array_agg(x.short_need), array_agg(x.short_since),
    array_agg(x.short_lane is null or (x.held = 0 and x.short_since <= present - interval '5 s')), array_agg(false), array_agg(x.timed)
  into c_limit, c_key, c_room, c_most, c_at, c_weight, c_holder, c_units, c_taken_by, c_parks, c_held, c_short, c_short_need,
    c_short_since, c_vacant, c_told, c_timed
  from (
    select k.limit_id, k.key, k.at, k.holder, e.weight, k.short_lane, k.short_need, k.short_since, g.most,
      e.per_ms is not null or k.closed_until is not null or k.wake_at is not null or k.short_opened is not null as timed,
      case when k.short_lane is null then 0 else lineshaft.held_back(k, g.most, present) end as held,
      lineshaft.room_of(k, e.concurrency, e.per_ms, e.burst, present) as room
    from unnest(p_limit, p_key) as p (limit_id, key)
    cross join lateral (select * from lineshaft.counter k where k.limit_id = p.limit_id and k.key = p.key limit 1) k
    join lineshaft.limit l on l.id = k.limit_id
    cross join lateral lineshaft.terms_of(l, k.key) e
    cross join lateral (
      select least(
        coalesce(e.concurrency, 1000000000),
        case when e.per_ms is null then 1000000000 else floor(e.burst)::integer end
      ) as most
    ) g
    order by k.limit_id, k.key
  ) x;
  if cardinality(p_limit) > coalesce(cardinality(c_limit), 0) then
    raise serialization_failure using message = 'a counter was collected, or a limit deleted, at this moment';
  end if;

  -- The lanes in the order of their turns. In a limit in which keys take turns, a key that was away starts where the
  -- others are, not where it left off (start-time fair queueing, Goyal, Vin, Cheng 1996).
  with one as materialized (
    select t.lane, min(t.base) as base, max(t.priority) as priority, min(t.at) filter (where not t.fresh) as at,
      min(t.at) as fresh_at
    from unnest(t_lane, t_base, t_priority, t_at, t_fresh) as t (lane, base, priority, at, fresh)
    group by 1
  ),
  -- The number of a counter is its rank among all, which have the same order, and what is known of a lane goes along:
  -- joins of so many rows, of whose number the planner knows nothing, would compare each with each.
  pair as materialized (
    select o.lane, o.base, o.priority, o.at, o.fresh_at, l.weighted, l.fifo, l.fair, m.id as limit_id, u.i::integer as i,
      dense_rank() over (order by m.id is null, u.limit_id, u.key collate "C")::integer as n
    from one o
    join lineshaft.lane l on l.id = o.lane
    cross join lateral unnest(l.limits, l.keys) with ordinality as u (limit_id, key, i)
    left join lineshaft.limit m on m.id = u.limit_id
  ),
  needing as materialized (
    select p.lane, min(p.base) as base, max(p.priority) as priority, min(p.at) as at, min(p.fresh_at) as fresh_at,
      bool_or(p.weighted) as weighted,
      coalesce(array_agg(p.n order by p.i) filter (where p.limit_id is not null), '{}') as counters,
      coalesce(array_agg(p.i order by p.i) filter (where p.limit_id is not null), '{}') as slots,
      min(p.n) filter (where p.limit_id = p.fifo) as fifo, min(p.n) filter (where p.limit_id = p.fair) as fair
    from pair p
    group by p.lane
  ),
  front as materialized (
    select c_limit[k.fair] as fair, coalesce(min(k.at), min(c_at[k.fair])) as at
    from needing k
    where k.fair is not null
    group by 1
  ),
  placed as materialized (
    select k.lane, k.base, k.priority, k.weighted, k.counters, k.slots, k.fifo, k.fair, groups[b.n] as grp,
      k.at is null as fresh, coalesce(c_weight[k.fair], 1) as weight,
      case
        when k.fair is null then k.fresh_at
        else greatest(coalesce(k.at, v.at), least(c_at[k.fair], v.at + 10 / c_weight[k.fair]))
      end as at
    from needing k
    join unnest(bases) with ordinality as b (base, n) on b.base = k.base
    left join front v on v.fair = c_limit[k.fair]
  ),
  ranked as materialized (
    select p.*, row_number() over (partition by p.base order by p.priority desc, p.at, p.fresh desc, p.lane) as rank,
      greatest(ceil(rooms[p.grp] * p.weight / sum(p.weight) over (partition by p.grp)), 1)::integer as share
    from placed p
  ),
  numbered as materialized (
    select r.*, row_number() over (order by r.priority desc, r.rank, r.lane) as n,
      sum(cardinality(r.counters)) over (order by r.priority desc, r.rank, r.lane)::integer as upto
    from ranked r
  )
  select array_agg(x.lane), array_agg(x.base), array_agg(x.grp), array_agg(x.at), array_agg(x.fifo), array_agg(x.fair),
    array_agg(x.weighted), array_agg(x.share), array_agg(x.upto - cardinality(x.counters) + 1), array_agg(x.upto),
    (
      select array_agg(y.c)
      from (
        select u.c from numbered m cross join lateral unnest(m.counters) with ordinality as u (c, i) order by m.n, u.i
      ) y
    ),
    (
      select array_agg(y.slot)
      from (
        select u.slot from numbered m cross join lateral unnest(m.slots) with ordinality as u (slot, i) order by m.n, u.i
      ) y
      where true = any (array(select m.weighted from numbered m))
    )
  into l_id, l_base, l_group, l_at, l_fifo, l_fair, l_weighted, l_share, l_first, l_last, l_counters, l_slots
  from (select * from numbered m order by m.n) x;
  if l_id is null then
    -- Lanes of a queue that was deleted.
    delete from lineshaft.turn t where t.ctid = any (t_place);
    lane := 0;
    created := 1;
    return next;
    return;
  end if;

  -- How many jobs of each lane are worth a look.
  for n in 1 .. cardinality(l_id) loop
    cap := least(l_share[n], rooms[l_group[n]]);
    for k in l_first[n] .. l_last[n] loop
      c := l_counters[k];
      avail := c_room[c] - case when c_held[c] > 0 and c_short[c] <> l_id[n] then c_held[c] else 0 end;
      if avail < cap and (c is distinct from l_fifo[n] or c_holder[c] is null) then
        cap := avail;
      end if;
    end loop;
    l_cap[n] := greatest(cap, 0);
  end loop;

  -- A lateral join with a limit is a nested loop: rows come in the order of the lanes, in order within each.
  select array_agg(h.place), array_agg(a.n), array_agg(h.job_id) into h_place, h_lane, h_id
  from unnest(l_id, l_cap, l_fifo) with ordinality as a (lane, cap, fifo, n)
  cross join lateral (
    select r.ctid as place, r.job_id
    from lineshaft.ready r
    where r.lane = a.lane
    order by r.priority desc, r.due, r.seq
    limit a.cap
    for update skip locked
  ) h
  where a.fifo is null and a.cap > 0;
  heads := coalesce(cardinality(h_place), 0);
  if true = any (l_weighted) then
    select array_agg(j.costs::text order by h.i) into h_costs
    from unnest(h_id) with ordinality as h (id, i)
    left join lineshaft.job j on j.id = h.id;
  end if;
  if cardinality(array_remove(l_fifo, null)) > 0 then
    select array_agg(f.place order by a.n), array_agg(f.job_id order by a.n), array_agg(f.behind order by a.n)
    into f_place, f_id, f_behind
    from unnest(l_id, l_cap, l_fifo) with ordinality as a (lane, cap, fifo, n)
    left join lateral lineshaft.fifo_head(a.lane, a.cap, c_limit[a.fifo], c_key[a.fifo], c_holder[a.fifo]) f
      on a.fifo is not null;
  end if;

  -- Who goes: lane by lane, exactly.
  for n in 1 .. cardinality(l_id) loop
    l_start[n] := pointer;
    got := 0;
    while pointer <= heads and h_lane[pointer] = n loop
      got := got + 1;
      pointer := pointer + 1;
    end loop;
    if l_fifo[n] is not null and f_id[n] is not null then
      got := 1;
    end if;
    g := l_group[n];
    l_reached[n] := rooms[g] > 0;
    take := least(got, rooms[g]);
    l_need[n] := 1;
    l_block[n] := 0;
    if l_weighted[n] then
      got := take;
      take := 0;
      while take < got loop
        costs := case when l_fifo[n] is null then h_costs[l_start[n] + take]::integer[]
          else (select j.costs from lineshaft.job j where j.id = f_id[n]) end;
        fits := true;
        for k in l_first[n] .. l_last[n] loop
          c := l_counters[k];
          if c is not distinct from l_fifo[n] and c_holder[c] is not null then
            continue;
          end if;
          -- What costs more than there is goes alone.
          need := least(coalesce(costs[l_slots[k]], 1), greatest(c_most[c], 1));
          if c_room[c] - (case when c_held[c] > 0 and c_short[c] <> l_id[n] then c_held[c] else 0 end) < need then
            fits := false;
            l_need[n] := need;
            l_block[n] := c;
          end if;
        end loop;
        exit when not fits;
        for k in l_first[n] .. l_last[n] loop
          c := l_counters[k];
          need := coalesce(costs[l_slots[k]], 1);
          if c is not distinct from l_fifo[n] then
            need := case when c_holder[c] is null then 1 else 0 end;
          end if;
          c_room[c] := c_room[c] - need;
          c_units[c] := c_units[c] + need;
        end loop;
        take := take + 1;
      end loop;
    else
      for k in l_first[n] .. l_last[n] loop
        c := l_counters[k];
        avail := c_room[c] - case when c_held[c] > 0 and c_short[c] <> l_id[n] then c_held[c] else 0 end;
        if avail < take and (c is distinct from l_fifo[n] or c_holder[c] is null) then
          take := avail;
        end if;
      end loop;
      take := greatest(take, 0);
      if take > 0 then
        for k in l_first[n] .. l_last[n] loop
          c := l_counters[k];
          if c is distinct from l_fifo[n] or c_holder[c] is null then
            c_room[c] := c_room[c] - take;
            c_units[c] := c_units[c] + take;
          end if;
        end loop;
      end if;
    end if;
    if take > 0 and l_fifo[n] is not null then
      c_taken_by[l_fifo[n]] := f_id[n];
    end if;
    for k in l_first[n] .. l_last[n] loop
      if take > 0 and c_short[l_counters[k]] = l_id[n] then
        c_held[l_counters[k]] := 0;
      end if;
    end loop;
    l_take[n] := take;
    rooms[g] := rooms[g] - take;
    if l_fair[n] is not null and take > 0 then
      c := l_fair[n];
      start := case when c_parks[c] then greatest(l_at[n], c_at[c]) else l_at[n] end;
      c_at[c] := start + take / c_weight[c];
      l_at[n] := c_at[c];
      c_parks[c] := true;
    elsif l_fair[n] is null and take > 0 then
      l_at[n] := extract(epoch from present);
    end if;
  end loop;

  places := array(
    select h.place from unnest(h_place, h_lane) with ordinality as h (place, n, i) where h.i < l_start[h.n] + l_take[h.n]
  ) || array(
    select f.place from unnest(f_place, l_take) as f (place, take) where f.place is not null and f.take > 0
  );
  if cardinality(places) > 0 then
    return query
    with taken as (
      delete from lineshaft.ready r where r.ctid = any (places) returning r.job_id
    ),
    mine as materialized (
      select j.* from lineshaft.job j where j.id = any (array(select t.job_id from taken t))
      order by j.priority desc, j.due, j.seq
    ),
    leased as (
      insert into lineshaft.lease (worker, job_ids, fences)
      select of_worker, array_agg(m.id), array_agg(m.fence) from mine m having count(*) > 0
      returning lease.id
    )
    select d.id, m.id, b.base, (date_part('epoch', m.created_at) * 1000)::bigint, m.payload,
      case
        when m.fence = 0 and m.version = 1 and m.options is null and m.due = m.created_at and m.costs is null then null
        else json_build_array(
          m.fence, m.attempt, m.rescued, m.version, m.options, m.errors,
          (extract(epoch from m.due - m.created_at) * 1000)::bigint, m.costs
        )
      end,
      m.lane
    from leased d
    cross join mine m
    join lineshaft.lane b on b.id = m.lane;
    get diagnostics claimed = row_count;
    if claimed <> cardinality(places) then
      raise data_corrupted using message = 'rows of ready without a job';
    end if;
  end if;

  -- What is left of the lanes: those with more jobs have another turn, or are parked under what they wait for.
  select array_agg(r.priority order by a.n) into l_next
  from unnest(l_id) with ordinality as a (lane, n)
  left join lateral (
    select r.priority from lineshaft.ready r where r.lane = a.lane order by r.priority desc limit 1
  ) r on true;
  c_parks := array_fill(false, array[coalesce(cardinality(c_limit), 0)]);
  for n in 1 .. cardinality(l_id) loop
    -- A lane that was short of room has had some, or has nothing left.
    for k in l_first[n] .. l_last[n] loop
      c := l_counters[k];
      if c_short[c] = l_id[n] and (l_take[n] > 0 or l_next[n] is null) then
        c_short[c] := null;
        c_held[c] := 0;
        c_vacant[c] := true;
        c_told[c] := true;
      end if;
    end loop;
    if not l_reached[n] or l_next[n] is null then
      continue;
    end if;
    if l_fifo[n] is not null and f_behind[n] then
      l_block[n] := l_fifo[n];
      l_need[n] := 2;
    end if;
    for k in l_first[n] .. l_last[n] loop
      exit when l_block[n] > 0;
      c := l_counters[k];
      if c_room[c] - (case when c_held[c] > 0 and c_short[c] <> l_id[n] then c_held[c] else 0 end) < 1 then
        l_block[n] := c;
      end if;
    end loop;
    if l_block[n] > 0 then
      c := l_block[n];
      c_parks[c] := true;
      -- The first that costs more than there is: cheaper ones go before it for 5 s, then room is kept for it.
      if l_need[n] > 1 and c is distinct from l_fifo[n] and (c_vacant[c] or c_short[c] = l_id[n]) then
        if c_vacant[c] then
          c_short_since[c] := present;
        end if;
        c_short[c] := l_id[n];
        c_short_need[c] := l_need[n];
        c_vacant[c] := false;
        c_told[c] := true;
      end if;
    end if;
  end loop;
  -- Whether a limit had a say: one is full or keeps room, somebody waits for it, or it has an order or turns to keep.
  bound := exists (
      select from unnest(l_fifo, l_fair, l_block) as a (fifo, fair, block)
      where a.fifo is not null or a.fair is not null or a.block > 0
    )
    or exists (select from unnest(c_room, c_short) as a (room, short) where a.room < 1 or a.short is not null);
  unreached := array(select a.lane from unnest(l_id, l_reached) as a (lane, reached) where not a.reached);
  delete from lineshaft.turn t
  where t.ctid = any (array(
    select p.place from unnest(t_place, t_lane) as p (place, lane) where p.lane <> all (unreached)
  ));
  insert into lineshaft.turn (base, priority, at, lane)
  select a.base, a.next, a.at, a.lane
  from unnest(l_id, l_base, l_next, l_at, l_reached, l_block) as a (lane, base, next, at, reached, block)
  where a.reached and a.next is not null and a.block = 0;
  insert into lineshaft.parked as k (lane, limit_id, key, need, base, priority, at)
  select a.lane, c_limit[a.block], c_key[a.block], a.need, a.base, a.next, a.at
  from unnest(l_id, l_base, l_next, l_at, l_block, l_need) as a (lane, base, next, at, block, need)
  where a.block > 0
  on conflict (lane) do update
  set limit_id = excluded.limit_id, key = excluded.key, need = excluded.need, priority = excluded.priority, at = excluded.at;
  perform lineshaft.count_up(c_limit, c_key, c_units, c_at, c_taken_by, present);
  for n in 1 .. coalesce(cardinality(c_told), 0) loop
    if c_told[n] then
      update lineshaft.counter k
      set short_lane = c_short[n], short_need = c_short_need[n], short_since = c_short_since[n], short_opened = null
      where k.limit_id = c_limit[n] and k.key = c_key[n];
    end if;
  end loop;
  -- Room that these lanes could not use goes to others that wait for it.
  perform lineshaft.wake(lineshaft.unpark(array_agg(p.limit_id), array_agg(p.key)), false, 'room')
  from unnest(c_limit, c_key, c_room, c_parks, c_timed) as p (limit_id, key, room, parks, timed)
  where p.room > 0 or (p.parks and p.timed);

  lease := null;
  id := null;
  lane := cardinality(l_id);
  created := case when lineshaft.has_turns(bases) then 1 else 0 end;
  payload := null;
  -- In how many milliseconds time alone makes room in one of these counters.
  if true = any (c_timed) then
    select to_json(min(extract(epoch from k.wake_at - clock_timestamp()) * 1000)) into payload
    from unnest(c_limit, c_key, c_parks) as p (limit_id, key, parks)
    join lineshaft.counter k on k.limit_id = p.limit_id and k.key = p.key
    where p.parks;
  end if;
  rest := to_json(bound);
  keyed := coalesce(claimed, 0);
  return next;
end
$$;

-- Whether keyed lanes of these bases have turns, also such that somebody has locked.
create function lineshaft.has_turns(bases integer[])
returns boolean language plpgsql stable set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
begin
  return exists (
    select from unnest(bases) as b (base) cross join (values (1), (-1)) as s (sign)
    join lateral (select from lineshaft.turn t where t.base = b.base * s.sign limit 1) t on true
  );
end
$$;

-- The job of a lane under a FIFO limit that may go now: the one that holds the key, or else the first of all lanes
-- of the key. Not the second if the first is locked: its fate is not decided. `behind`: another lane has an earlier one.
create function lineshaft.fifo_head(of_lane integer, cap integer, of_limit integer, of_key text, holder uuid)
returns table (place tid, job_id uuid, behind boolean) language plpgsql as $$
#variable_conflict use_column
declare
  head record;
begin
  behind := false;
  if holder is not null then
    select r.ctid as place, r.job_id into head
    from lineshaft.job j
    join lineshaft.ready r on r.lane = j.lane and r.priority = j.priority and r.due = j.due and r.seq = j.seq and r.job_id = j.id
    where j.id = holder and j.lane = of_lane;
  else
    select r.ctid as place, r.job_id, r.due, r.seq into head
    from lineshaft.ready r
    where r.lane = of_lane
    order by r.priority desc, r.due, r.seq
    limit 1;
    if found then
      behind := exists (
        select from lineshaft.lane s
        join lineshaft.ready r on r.lane = s.id
        where s.fifo = of_limit and s.fifo_key = of_key and s.id <> of_lane and (r.due, r.seq) < (head.due, head.seq)
      );
    end if;
  end if;
  if head.job_id is not null and not behind and cap > 0 then
    select r.ctid, r.job_id into place, job_id from lineshaft.ready r where r.ctid = head.place for update skip locked;
  end if;
  return next;
end
$$;

-- Locks counters, in the one order in which everybody does: those that all jobs of a limit share last, so that they
-- are held for as short as can be.
create function lineshaft.lock_counters(limits integer[], keys text[])
returns void language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
begin
  perform from (
    select
    from (
      select * from unnest(limits, keys) as p (limit_id, key) order by p.key = '', p.limit_id, p.key collate "C" offset 0
    ) p
    cross join lateral (
      select from lineshaft.counter k where k.limit_id = p.limit_id and k.key = p.key limit 1 for update
    ) k
    offset 0
  ) held;
end
$$;

-- What a sliding counter has spent in the last period, and so much more now. In hundredths of the period, each under its end:
-- what comes back comes up to a hundredth later than it could, and never too early.
create function lineshaft.spend(
  c lineshaft.counter, units integer, period_ms double precision, present timestamptz, out at timestamptz[], out n integer[]
)
language sql immutable as $$
  select array_agg(x.at order by x.at), array_agg(x.n order by x.at)
  from (
    select s.at, sum(s.n)::integer as n
    from (
      select o.at, o.n from unnest(c.spent_at, c.spent) as o (at, n) where o.at > present - period_ms * interval '1 millisecond'
      union all
      select to_timestamp(ceil(extract(epoch from present)::double precision * 100000 / period_ms) * period_ms / 100000), units
    ) s
    group by s.at
  ) x
$$;

-- Counts up what was taken of counters that are locked, and sets their virtual times and holders where they are given.
-- Returns whether all are there, and there is room left in each that is kept for nobody.
create function lineshaft.count_up(
  limits integer[], keys text[], units integer[], times double precision[], holders uuid[], present timestamptz
)
returns boolean language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  counted bigint;
  roomy boolean;
begin
  with up as (
    update lineshaft.counter k
    set used = k.used + a.units,
      tokens = case
        when a.per_ms is not null and not a.sliding then lineshaft.tokens_of(k, a.per_ms, a.burst, present) - a.units
      end,
      (spent_at, spent) = (
        select s.at, s.n from lineshaft.spend(k, a.units, a.burst / a.per_ms, present) s where a.sliding
      ),
      refilled_at = case when a.per_ms is not null then present end,
      at = coalesce(a.at, k.at),
      holder = coalesce(a.holder, k.holder)
    from (
      select k.place, a.units, a.at, a.holder, e.concurrency, e.per_ms, e.burst, l.sliding and e.per_ms is not null as sliding
      from unnest(limits, keys, units, times, holders) as a (limit_id, key, units, at, holder)
      join lineshaft.limit l on l.id = a.limit_id
      cross join lateral (
        select k.ctid as place from lineshaft.counter k where k.limit_id = a.limit_id and k.key = a.key limit 1
      ) k
      cross join lateral lineshaft.terms_of(l, a.key) e
      where a.units > 0
    ) a
    where k.ctid = a.place
    returning k.short_lane is null and lineshaft.room_of(k, a.concurrency, a.per_ms, a.burst, present) > 0 as roomy
  )
  select count(*), bool_and(up.roomy) into counted, roomy from up;
  return coalesce(roomy, true) and counted = (select count(*) from unnest(units) as a (units) where a.units > 0);
end
$$;
