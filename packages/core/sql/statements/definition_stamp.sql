-- Grows whenever a definition changes. Returns changes. Called by: DefinitionCache.
select s.changes from lineshaft.definition_stamp s
