-- Writes down that a migration of a plugin was applied, in its transaction.
-- $1 version integer, $2 name text, $3 checksum text, $4 took_ms integer, $5 plugin text
-- Locks: none. Called by: migrate.
insert into lineshaft.plugin_migration (version, name, checksum, took_ms, plugin)
values ($1::integer, $2::text, $3::text, $4::integer, $5)
