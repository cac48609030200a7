-- Deletes a queue. $1 id bigint, $2 purge boolean: with its jobs. Returns result: deleted, or not-empty (nothing was changed).
select lineshaft.delete_queue($1::bigint, $2::boolean) as result
