-- Frees, or keeps for their time, the unique keys of jobs that reached a finished state.
-- $1 projects bigint[], $2 keys text[], $3 holders uuid[], $4 bit smallint (4 succeeded, 8 failed, 16 cancelled, 2 running ended)
-- In the transaction of the completion. Index: unique_key_pkey.
select lineshaft.release_keys($1::bigint[], $2::text[], $3::uuid[], $4::smallint)
