-- Lanes that were made after the given one.
-- $1 after integer
-- Returns id, queue_id, kind, requirements, pin, build, wants. Index: lane_pkey. Called by: workers that see a new lane.
select l.id, l.queue_id, l.kind, l.requirements, l.pin, l.build, l.wants
from lineshaft.lane l
where l.id > $1::integer
order by l.id
