-- Keeps a workflow definition. $1 name text, $2 version integer, $3 definition json, $4 overwrite boolean
-- Returns made boolean: false where it was overwritten; no row: it is there, and was not to be overwritten.
insert into lineshaft.workflow_definition as w (name, version, definition)
values ($1::text, $2::integer, $3::json)
on conflict (name, version) do update set definition = excluded.definition, updated_at = clock_timestamp()
where $4::boolean
returning w.created_at = w.updated_at as made
