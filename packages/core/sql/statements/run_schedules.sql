-- Applies plans of schedules; see the function. $1 plans jsonb, $2 term bigint: the leader's, see demand_term.
-- Returns applied integer, enqueued integer, started integer: runs that are to start. @throws LS409 LEADERSHIP_LOST
select r.applied, r.enqueued, r.started from lineshaft.run_schedules($1::jsonb, $2::bigint) r
