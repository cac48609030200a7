-- Forgets a task definition, with its limits; runs keep the rest of what they started with. $1 name text. Returns name,
-- limited boolean: it had limits; no row: there is none.
delete from lineshaft.task_definition t where t.name = $1::text returning t.name, lineshaft.limit_task($1::text, '', '{}') as limited
