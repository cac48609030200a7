-- Keeps a task definition, in place of one of the same name. $1 name text, $2 definition json. Returns made boolean.
insert into lineshaft.task_definition as t (name, definition)
values ($1::text, $2::json)
on conflict (name) do update set definition = excluded.definition, updated_at = clock_timestamp()
returning t.created_at = t.updated_at as made
