-- Forgets a workflow definition; its runs keep what they started with. $1 name text, $2 version integer. Returns name; no row: there is none.
delete from lineshaft.workflow_definition w where w.name = $1::text and w.version = $2::integer returning w.name
