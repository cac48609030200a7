-- Leaves one small plain job in the inbox: what a transaction of a caller's does where the caller hears of its commit and
-- has it taken in. As little as can be said: 64 connections that commit pay for each relation that a statement opens.
-- Its lock on the inbox comes before its snapshot, so that it sees a queue as deleted by who has held the inbox (lock_inbox).
-- $1 queue text, $2 kind text, $3 id uuid, $4 payload json
-- Returns a row, or none: then nothing was written (no such queue in project 1, which is the default, it wants its NOTIFY
-- in the transaction, or the payload has more than 1000 bytes), and enqueue_inbox is to be asked.
-- Index: queue_project_id_name_key. Called by: enqueue in a caller's transaction.
insert into lineshaft.inbox (at, seq, id, queue_id, kind, payload)
select clock_timestamp(), nextval('lineshaft.job_seq'), $3::uuid, q.id, $2::text, $4::json
from lineshaft.queue q
where q.project_id = 1 and q.name = $1::text and q.wake <> 'always' and octet_length($4::json::text) <= 1000
returning 1 as left
