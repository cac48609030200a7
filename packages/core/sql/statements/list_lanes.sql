-- All lanes proper with the names of their queues. Returns id, queue_id, kind, requirements, pin, build, wants, queue, project.
select l.id, l.queue_id, l.kind, l.requirements, l.pin, l.build, l.wants, q.name as queue, p.name as project
from lineshaft.lane l
join lineshaft.queue q on q.id = l.queue_id
join lineshaft.project p on p.id = q.project_id
where l.id > 0
order by l.id
