-- Takes the unique keys of jobs that wait again: those that cover only waiting, and were freed by the claim.
-- $1 ids uuid[]. In the transaction of the completion. A job whose key has another holder by now goes on without it.
-- Locks: the rows of the keys, each waited for 50 ms at most. Index: job_pkey, unique_key_pkey.
select lineshaft.retake_waiting_keys($1::uuid[])
