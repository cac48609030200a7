-- Forgets a schedule of a workflow; what it has started goes on. $1 name text. Returns name text, where there was one.
delete from lineshaft.workflow_schedule w where w.name = $1 returning w.name
