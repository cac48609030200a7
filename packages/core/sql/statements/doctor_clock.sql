-- The clock of the database. Returns now_ms double precision: milliseconds since 1970. Locks: none. Called
-- by: doctor.
select extract(epoch from clock_timestamp())::double precision * 1000 as now_ms
