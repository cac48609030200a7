-- The clock of the database, with microseconds. Called by: enqueueing in several batches.
select clock_timestamp()::text
