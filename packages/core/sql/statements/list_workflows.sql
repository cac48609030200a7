-- Workflow definitions by name and version. $1 name text (null: all), $2 latest boolean: only the latest of each.
-- Returns name, version, definition, created_at, updated_at.
select w.name, w.version, w.definition, w.created_at, w.updated_at
from lineshaft.workflow_definition w
where ($1::text is null or w.name = $1::text)
  and (not $2::boolean or not exists (
    select from lineshaft.workflow_definition n where n.name = w.name and n.version > w.version
  ))
order by w.name, w.version
