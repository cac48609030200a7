-- Raises the priority of waiting jobs that fit a rule, which is put in for the mark; never of one that runs. Bounded.
-- $1 behind uuid: where to go on, $2 how many jobs to look at, $3 by integer, $4 max integer
-- Returns how far it has come (null: to the end), raised, and queues to wake (bigint[], or null): a claim that met rows
-- while they were held has passed them over. The wide row follows what was changed in the narrow one.
-- Locks: the rows of ready or later and of job, skip locked: who claims, cancels or replaces a job goes first.
-- Index: job_pkey, ready_order, later_due. Called by: the re-prioritiser.
with seen as materialized (
  select j.id, j.lane, j.priority, j.due, j.seq from lineshaft.job j where j.id > $1::uuid order by j.id limit $2::integer
),
of_ready as materialized (
  select r.ctid as place
  from seen s
  join lineshaft.ready r on r.lane = s.lane and r.priority = s.priority and r.due = s.due and r.seq = s.seq and r.job_id = s.id
  join lineshaft.job j on j.id = s.id
  join lineshaft.lane l on l.id = j.lane
  join lineshaft.queue q on q.id = l.queue_id
  join lineshaft.project p on p.id = q.project_id
  cross join lateral (
    select j.id, null::timestamptz as finished_at, 'ready' as state, j.created_at, l.kind, q.name as queue,
      p.name as project, j.options -> 'labels' as labels, octet_length(j.payload::text) as size, j.attempt as attempts,
      j.priority
  ) f
  where j.priority < $4::integer and (true /* rule matches */)
  for update of r, j skip locked
),
of_later as materialized (
  select w.ctid as place
  from seen s
  join lineshaft.later w on w.due = s.due and w.seq = s.seq and w.job_id = s.id
  join lineshaft.job j on j.id = s.id
  join lineshaft.lane l on l.id = j.lane
  join lineshaft.queue q on q.id = l.queue_id
  join lineshaft.project p on p.id = q.project_id
  cross join lateral (
    select j.id, null::timestamptz as finished_at, case w.reason when 'r' then 'retrying' else 'scheduled' end as state,
      j.created_at, l.kind, q.name as queue, p.name as project, j.options -> 'labels' as labels,
      octet_length(j.payload::text) as size, j.attempt as attempts, j.priority
  ) f
  where j.priority < $4::integer and (true /* rule matches */)
  for update of w, j skip locked
),
raised_ready as (
  update lineshaft.ready r
  set priority = least(r.priority + $3::integer, $4::integer)
  where r.ctid = any (array(select o.place from of_ready o))
  returning r.job_id, r.priority, r.lane
),
raised_later as (
  update lineshaft.later w
  set priority = least(w.priority + $3::integer, $4::integer)
  where w.ctid = any (array(select o.place from of_later o))
  returning w.job_id, w.priority
),
raised as (
  update lineshaft.job j
  set priority = u.priority
  from (select job_id, priority from raised_ready union all select job_id, priority from raised_later) u
  where j.id = u.job_id
  returning 1
)
select case when (select count(*) from seen) = $2::integer then (select s.id from seen s order by s.id desc limit 1) end as behind,
  (select count(*) from raised) as raised,
  (select array_agg(distinct l.queue_id) from lineshaft.lane l where l.id in (select r.lane from raised_ready r)) as queues
