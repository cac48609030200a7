-- Keeps a task definition, in place of one of the same name, with its limits. $1 name text, $2 definition json,
-- $3 kind text (of its jobs; null: it can have none). Returns made boolean, limited boolean: its limits have changed.
insert into lineshaft.task_definition as t (name, definition)
values ($1::text, $2::json)
on conflict (name) do update set definition = excluded.definition, updated_at = clock_timestamp()
returning t.created_at = t.updated_at as made,
  $3::text is not null and lineshaft.limit_task($1::text, $3::text, $2::json) as limited
