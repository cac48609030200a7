-- What comes next, for all that sleep until something comes due; see the view.
-- Returns job_ms, schedule_ms, resume_ms numeric, ticks_wait, any_ready boolean.
-- Locks: none. Index: inbox_order, later_due, schedule_due, queue_resume, schedule_waiting, ready_order.
select o.job_ms, o.schedule_ms, o.resume_ms, o.ticks_wait, o.any_ready from lineshaft.outlook o
