-- Pauses a schedule of a workflow, or lets it go on. $1 name text, $2 reason text, $3 pause boolean
-- Returns found boolean.
select lineshaft.pause_workflow_schedule($1::text, $2::text, $3::boolean) as found
