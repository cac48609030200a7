-- Enqueues a job of a schedule now. $1 name text, $2 project text
-- Returns the job's id. Refused (LS404) if there is no such schedule.
select lineshaft.run_schedule($1::text, $2::text) as id
