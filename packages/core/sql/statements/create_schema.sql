-- Makes the schema of the installation. Needs CREATE on the database.
-- Locks: none that others wait for. Called by: migrate, once, under migration_lock.
create schema lineshaft
