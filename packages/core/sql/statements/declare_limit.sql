-- Makes a limit, or changes the settings that are given; see the function. $1 project text, $2 name text,
-- $3 settings jsonb (columns by name). Returns the limit's row with its project's name. Called by: the limit book.
select l.*, $1::text as project from lineshaft.declare_limit($1::text, $2::text, $3::jsonb) l
