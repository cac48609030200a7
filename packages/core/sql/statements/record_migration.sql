-- Writes down that a migration was applied, in its transaction.
-- $1 version integer, $2 name text, $3 checksum text, $4 took_ms integer
-- Locks: none. Called by: migrate.
insert into lineshaft.migration (version, name, checksum, took_ms)
values ($1::integer, $2::text, $3::text, $4::integer)
