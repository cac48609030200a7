-- How many finished jobs there are to look through. Returns jobs bigint. Called by: `lineshaft prune`, to say how far it is.
select (select coalesce(sum(h.jobs), 0) from lineshaft.history h) + (select count(*) from lineshaft.dead) as jobs
