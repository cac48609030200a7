-- How many runs wait to be indexed, as often as they have changed. $1 most integer: so many are counted
-- Returns pending bigint. Index: search_pending_pkey. Called by: RunIndexer.
select count(*) as pending from (select p.id from lineshaft.search_pending p where p.id > 0 order by p.id limit $1::integer) c
