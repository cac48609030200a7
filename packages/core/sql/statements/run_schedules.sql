-- Applies plans of schedules; see the function. $1 plans jsonb, $2 term bigint: the leader's, see demand_term.
-- Returns applied integer, enqueued integer. @throws LS409 LEADERSHIP_LOST
select r.applied, r.enqueued from lineshaft.run_schedules($1::jsonb, $2::bigint) r
