-- Deletes a schedule; its jobs stay. $1 name text, $2 project text
-- Returns its id. Refused (LS404) if there is none.
select lineshaft.delete_schedule($1::text, $2::text) as id
