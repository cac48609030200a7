-- Task definitions by name. $1 names text[] (null: all). Returns name, definition, created_at, updated_at. Index: task_definition_pkey.
select t.name, t.definition, t.created_at, t.updated_at
from lineshaft.task_definition t
where $1::text[] is null or t.name = any ($1::text[])
order by t.name
