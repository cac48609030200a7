-- Runs that schedules are to start, the oldest tick first. $1 most integer. Returns id, tick (ms since 1970), request json.
-- Locks nothing: a run starts once, by its id. Index: scheduled_run_due.
select r.id, (date_part('epoch', r.tick) * 1000)::bigint, r.request, r.schedule
from lineshaft.scheduled_run r
where r.state = 'POLLED'
order by r.tick, r.id
limit $1::integer
