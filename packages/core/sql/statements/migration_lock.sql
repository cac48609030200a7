-- Waits until no other process migrates this schema; until the end of the transaction none will.
-- Locks: the advisory lock of migrations. Called by: migrate.
select pg_advisory_xact_lock(hashtextextended('lineshaft.migrate', 0))
