-- Forgets finished jobs of one partition of history that fit a rule, and those past their time: batches that the rule
-- covers are deleted unread, of others what is left is written anew. Bounded; the rule is put in for the marks.
-- $1 and $2 timestamptz: from when until before when the partition goes; $3 timestamptz, $4 tid: behind which row to go on,
-- $5 how many jobs at most (but one batch; and a tenth as many batches), $6 boolean: also batches past their time, $7 term bigint (of the leader; null: whoever asks)
-- Returns how far it has come (at, place), jobs seen, pruned, batches rewritten, and oldest and newest (ms) that were pruned.
-- Locks: the batches, skip locked, so that it waits for nobody; a later pass meets what was locked.
-- Index: history_finished. Called by: the pruner and `lineshaft prune`.
with seen as materialized (
  select s.place, s.finished_at, s.jobs, s.covered
  from (
    select b.*, sum(b.jobs) over (order by b.finished_at, b.place) as so_far
    from (
      select h.ctid as place, h.finished_at, h.jobs,
        ($6::boolean and h.expires_at <= now()) or (false /* rule covers */) as covered
      from lineshaft.history h
      where h.finished_at >= $1::timestamptz and h.finished_at < $2::timestamptz
        and (h.finished_at, h.ctid) > ($3::timestamptz, $4::tid) and h.finished_at >= $3::timestamptz
        and (($6::boolean and h.expires_at <= now()) or (true /* rule may match */))
      order by h.finished_at, h.ctid
      limit greatest($5::integer / 10, 100)
    ) b
  ) s
  where s.so_far - s.jobs < $5::integer
),
held as materialized (
  select h.ctid as place, h.finished_at, h.ids, h.entries, h.jobs, s.covered
  from lineshaft.history h
  join seen s on s.place = h.ctid
  where h.finished_at >= $1::timestamptz and h.finished_at < $2::timestamptz
    and h.ctid = any (array(select x.place from seen x))
  for update of h skip locked
),
judged as materialized (
  select h.place, h.finished_at, h.jobs, k.*
  from held h
  cross join lateral (
    select count(*) as kept, array_agg(e.id order by e.n) as ids, string_agg(e.line, e'\n' order by e.n) as entries,
      array_agg(distinct (e.line::json ->> 0)::integer) as lanes,
      min(f.created_at) as created_from, max(f.created_at) as created_to
    from unnest(h.ids, string_to_array(h.entries, e'\n')) with ordinality as e (id, line, n)
    left join lineshaft.lane l on l.id = (e.line::json ->> 0)::integer
    left join lineshaft.queue q on q.id = l.queue_id
    left join lineshaft.project p on p.id = q.project_id
    cross join lateral (
      select e.id, h.finished_at, e.line::json ->> 1 as state,
      timestamptz 'epoch' + (e.line::json ->> 3)::double precision * interval '1 millisecond' as created_at,
      l.kind, q.name as queue, p.name as project, e.line::json #> '{9,options,labels}' as labels,
      octet_length((e.line::json -> 7)::text) as size, (e.line::json ->> 2)::integer as attempts, null::integer as priority
    ) f
    where not h.covered and not (true /* rule matches */)
  ) k
),
gone as (
  delete from lineshaft.history h
  where h.finished_at >= $1::timestamptz and h.finished_at < $2::timestamptz
    and h.ctid = any (array(select j.place from judged j where j.kept = 0))
  returning h.jobs
),
rewritten as (
  update lineshaft.history h
  set ids = j.ids, entries = j.entries, lanes = j.lanes, created_from = j.created_from, created_to = j.created_to,
    id_span = lineshaft.id_range(
      (select i from unnest(j.ids) i order by i limit 1), (select i from unnest(j.ids) i order by i desc limit 1), '[]'
    )
  from judged j
  where h.finished_at >= $1::timestamptz and h.finished_at < $2::timestamptz
    and h.ctid = j.place and j.kept > 0 and j.kept < j.jobs
  returning j.jobs - j.kept as pruned
),
changed as (
  select extract(epoch from min(j.finished_at)) * 1000 as oldest, extract(epoch from max(j.finished_at)) * 1000 as newest
  from judged j where j.kept < j.jobs
)
select last.finished_at::text as at, last.place::text as place,
  (select coalesce(sum(s.jobs), 0) from seen s) as seen,
  (select coalesce(sum(g.jobs), 0) from gone g) + (select coalesce(sum(r.pruned), 0) from rewritten r) as pruned,
  (select count(*) from rewritten) as rewritten,
  c.oldest::double precision as oldest, c.newest::double precision as newest, lineshaft.demand_leader($7::bigint) as led
from seen last
cross join changed c
order by last.finished_at desc, last.place desc
limit 1
