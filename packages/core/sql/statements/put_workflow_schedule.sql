-- Declares a schedule of a workflow; see the function. $1 name text, $2 rules jsonb, $3 settings jsonb, $4 document json,
-- $5 request json. Returns nothing. Called by: ScheduledWorkflows.
select lineshaft.put_workflow_schedule($1::text, $2::jsonb, $3::jsonb, $4::json, $5::json)
