-- Lets a schedule go on from now. $1 name text, $2 project text
-- Returns its id. Refused (LS404) if there is none.
select lineshaft.resume_schedule($1::text, $2::text) as id
