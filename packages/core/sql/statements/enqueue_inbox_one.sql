-- Leaves one plain job in the inbox; see the function. $1 queue text, $2 kind text, $3 id uuid, $4 payload json
-- Returns a row, or none: then nothing was written, and enqueue_many is to be asked.
-- Index: queue_project_id_name_key, queue_pkey. Called by: enqueue in a caller's transaction.
select 1 as left where lineshaft.leave_in_inbox($1::text, $2::text, $3::uuid, $4::json)
