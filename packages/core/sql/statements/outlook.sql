-- What comes next, for all that sleep until something comes due; see the view.
-- Returns job_ms, schedule_ms, resume_ms numeric, ticks_wait, any_ready boolean, run_ms numeric.
-- Locks: none. Index: inbox_order, later_due, schedule_due, queue_resume, schedule_waiting, ready_order, mark_pkey, run_wake.
select o.job_ms, o.schedule_ms, o.resume_ms, o.ticks_wait, o.any_ready, o.run_ms from lineshaft.outlook o
