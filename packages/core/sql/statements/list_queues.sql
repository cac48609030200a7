-- All queues with their settings. Rows as in the table, with the project's name.
select q.*, p.name as project
from lineshaft.queue q
join lineshaft.project p on p.id = q.project_id
order by p.id, q.name
