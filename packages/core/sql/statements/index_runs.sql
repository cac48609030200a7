-- Writes a segment of the index of words; see the function. $1 pending bigint[], $2 runs uuid[], $3 removed uuid[],
-- $4 firsts text[], $5 lines text[]. Returns done boolean: false where somebody else was faster. Called by: RunIndexer.
select lineshaft.index_runs($1::bigint[], $2::uuid[], $3::uuid[], $4::text[], $5::text[]) as done
