-- The latest versions of workflows. $1 names text[]. Returns name, version. Index: workflow_definition_pkey.
-- Called by: DefinitionBook, for a definition that is not kept in memory.
select w.name, max(w.version) as version
from lineshaft.workflow_definition w
where w.name = any ($1::text[])
group by w.name
