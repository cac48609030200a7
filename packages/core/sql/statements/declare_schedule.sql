-- Makes a schedule or changes it; see the function. $1 name text, $2 settings jsonb, $3 payload json, $4 project text
-- Returns id, result (new, changed, kept).
select d.id, d.result from lineshaft.declare_schedule($1::text, $2::jsonb, $3::json, $4::text, true) d
