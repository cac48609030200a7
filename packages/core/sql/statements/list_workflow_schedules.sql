-- Schedules of workflows, by name. $1 name text (null: all), $2 workflow text (null: all), $3 most integer
-- Returns name, document json, request json, paused, paused_reason, created_at, updated_at. Index: workflow_schedule_name_key, workflow_schedule_of.
select w.name, w.document, w.request, w.paused, w.paused_reason, w.created_at, w.updated_at
from lineshaft.workflow_schedule w
where ($1::text is null or w.name = $1) and ($2::text is null or w.workflow = $2)
order by w.name
limit $3::integer
