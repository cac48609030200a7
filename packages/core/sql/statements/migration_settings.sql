-- Settings of the transaction of a migration: how long it waits for a lock, no other time limits, and a
-- search path in which an unqualified name finds nothing of ours.
-- $1 lock_timeout_ms integer
-- Returns transaction text: its number, by which the next statements show that they run in the same one.
-- Locks: none. Called by: migrate.
select pg_current_xact_id()::text as transaction,
  set_config('lock_timeout', $1::integer::text, true),
  set_config('statement_timeout', '0', true),
  set_config('idle_in_transaction_session_timeout', '0', true),
  set_config('search_path', 'pg_catalog, pg_temp', true)
