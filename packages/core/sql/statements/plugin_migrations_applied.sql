-- The migrations of a plugin that were applied to this schema.
-- $1 plugin text. Returns version integer, name, checksum, applied_at text. Locks: none. Index: plugin_migration_pkey.
-- Called by: migrate.
select m.version, m.name, m.checksum, m.applied_at::text as applied_at
from lineshaft.plugin_migration m
where m.plugin = $1
order by m.version
