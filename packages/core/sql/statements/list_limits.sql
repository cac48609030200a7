-- All limits with the names of their projects. Called by: the limit book, workers.
select l.*, p.name as project
from lineshaft.limit l
join lineshaft.project p on p.id = l.project_id
order by p.id, l.name
