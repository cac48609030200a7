-- Tells workers, after the commit of a caller's transaction, that its queues have jobs. Only queues that leave it to
-- us (`auto`): `always` was told in the transaction, `never` is not told.
-- $1 projects text[], $2 queues text[] (names, side by side), $3 later boolean (something is to come due)
-- Locks: that of NOTIFY. Index: project_name_key, queue_project_id_name_key. Called by: the producer.
select lineshaft.wake(
  array(
    select q.id
    from unnest($1::text[], $2::text[]) as w (project, name)
    join lineshaft.project p on p.name = w.project
    join lineshaft.queue q on q.project_id = p.id and q.name = w.name
    where q.wake = 'auto'
  ),
  $3::boolean,
  'always'
)
