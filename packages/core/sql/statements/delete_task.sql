-- Forgets a task definition; runs keep what they started with. $1 name text. Returns name; no row: there is none.
delete from lineshaft.task_definition t where t.name = $1::text returning t.name
