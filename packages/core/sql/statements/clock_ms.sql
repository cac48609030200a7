-- The clock of the database in milliseconds since 1970. Called by: the pruner.
select (extract(epoch from clock_timestamp()) * 1000)::double precision as ms
