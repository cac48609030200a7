-- A workflow definition. $1 name text, $2 version integer (null: the latest). Returns name, version, definition,
-- created_at, updated_at. Index: workflow_definition_pkey.
select w.name, w.version, w.definition, w.created_at, w.updated_at
from lineshaft.workflow_definition w
where w.name = $1::text and ($2::integer is null or w.version = $2::integer)
order by w.version desc
limit 1
