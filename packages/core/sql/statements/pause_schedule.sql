-- Pauses a schedule. $1 name text, $2 reason text, $3 project text
-- Returns its id. Refused (LS404) if there is none.
select lineshaft.pause_schedule($1::text, $2::text, $3::text) as id
