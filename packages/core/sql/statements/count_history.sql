-- As prune_history, but only counts what would go. Bounded; the rule is put in for the marks.
-- $1 and $2 timestamptz: from when until before when the partition goes; $3 timestamptz, $4 tid: behind which row to go on,
-- $5 about how many jobs, $6 boolean: also batches past their time
-- Returns how far it has come (at, place), jobs seen, and per project, queue and outcome: jobs, oldest, newest (as JSON).
-- Index: history_finished. Called by: `lineshaft prune --dry-run`.
with seen as materialized (
  select s.place, s.finished_at, s.jobs, s.ids, s.entries, s.expired
  from (
    select b.*, sum(b.jobs) over (order by b.finished_at, b.place) as so_far
    from (
      select h.ctid as place, h.finished_at, h.jobs, h.ids, h.entries, $6::boolean and h.expires_at <= now() as expired
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
fit as (
  select coalesce(f.project, '(deleted)') as project, coalesce(f.queue, '(deleted)') as queue, f.state,
    count(*) as jobs, min(f.finished_at) as oldest, max(f.finished_at) as newest
  from seen h
  cross join lateral unnest(h.ids, string_to_array(h.entries, e'\n')) as e (id, line)
  left join lineshaft.lane l on l.id = (e.line::json ->> 0)::integer
  left join lineshaft.queue q on q.id = l.queue_id
  left join lineshaft.project p on p.id = q.project_id
  cross join lateral (
    select e.id, h.finished_at, e.line::json ->> 1 as state,
      timestamptz 'epoch' + (e.line::json ->> 3)::double precision * interval '1 millisecond' as created_at,
      l.kind, q.name as queue, p.name as project, e.line::json #> '{9,options,labels}' as labels,
      octet_length((e.line::json -> 7)::text) as size, (e.line::json ->> 2)::integer as attempts, null::integer as priority
  ) f
  where h.expired or (true /* rule matches */)
  group by 1, 2, 3
)
select last.finished_at::text as at, last.place::text as place,
  (select coalesce(sum(s.jobs), 0) from seen s) as seen,
  (select coalesce(json_agg(json_build_object('project', f.project, 'queue', f.queue, 'outcome', f.state, 'jobs', f.jobs,
    'oldest', f.oldest, 'newest', f.newest)), '[]') from fit f) as groups
from seen last
order by last.finished_at desc, last.place desc
limit 1
