-- Schedules with what became of their last job. $1 project text (null: all), $2 name text (null: all), $3 most integer
-- Returns the rows with their project's name, and last_state text (null: no run yet, or its job is forgotten).
-- Index: schedule_project_id_name_key, job_pkey, dead_pkey, history_span.
select s.*, p.name as project, clock_timestamp() as present,
  case
    when s.last_job_id is null then null
    when lineshaft.is_live(s.last_job_id) then 'live'
    when exists (select from lineshaft.dead d where d.job_id = s.last_job_id) then 'failed'
    else (
      select split_part(h.entries, e'\n', array_position(h.ids, s.last_job_id))::json ->> 1
      from lineshaft.history h where h.id_span @> s.last_job_id and s.last_job_id = any (h.ids) limit 1
    )
  end as last_state
from lineshaft.schedule s join lineshaft.project p on p.id = s.project_id
where s.workflow_schedule is null and ($1::text is null or p.name = $1) and ($2::text is null or s.name = $2)
order by p.id, s.name
limit $3::integer
