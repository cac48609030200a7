-- The newest finished job of a queue that is one too many; see the function. $1 queue bigint, $2 outcome text, $3 keep bigint
-- Returns at, id, or no row. Index: history_finished. Called by: the pruner and `lineshaft prune`.
select b.at::text, b.id from lineshaft.first_beyond($1::bigint, $2::text, $3::bigint) b
