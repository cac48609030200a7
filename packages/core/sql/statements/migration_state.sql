-- What is there of an installation, and the number of this transaction if it has one.
-- Returns transaction text, schema_present boolean, table_present boolean, plugin_table_present boolean. Locks: none. Called by: migrate,
-- doctor.
select pg_current_xact_id_if_assigned()::text as transaction,
  exists (select from pg_namespace n where n.nspname = 'lineshaft') as schema_present,
  to_regclass('lineshaft.migration') is not null as table_present,
  to_regclass('lineshaft.plugin_migration') is not null as plugin_table_present
