-- Moves what has come due from later to ready, and takes in what is in the inbox. $1 most integer
-- Returns moved bigint, queues bigint[] to wake. Two promoters never move the same row (skip locked). Index: later_due.
with due_now as materialized (
  select l.ctid
  from lineshaft.later l
  where l.due <= clock_timestamp()
  order by l.due, l.seq
  limit $1::integer
  for update skip locked
),
taken as (
  delete from lineshaft.later
  where ctid = any (array(select d.ctid from due_now d))
  returning due, seq, lane, priority, job_id
),
placed as (
  insert into lineshaft.ready (due, seq, lane, priority, job_id)
  select t.due, t.seq, t.lane, t.priority, t.job_id from taken t
),
opened as (
  insert into lineshaft.turn (base, priority, at, lane)
  select case when l.fair is null then l.base else - l.base end, o.priority, extract(epoch from clock_timestamp()), o.lane
  from (select t.lane, max(t.priority) as priority from taken t where t.lane < 0 group by 1) o
  join lineshaft.lane l on l.id = o.lane
)
select count(*)::integer + (select lineshaft.take_in($1::integer)) as moved,
  (select array_agg(distinct n.queue_id) from lineshaft.lane n where n.id in (select t.lane from taken t)) as queues
from taken
