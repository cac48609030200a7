-- Makes the table of the migrations that were applied.
-- Locks: none that others wait for. Called by: migrate, once, under migration_lock.
create table lineshaft.migration (
  version integer primary key,
  name text not null,
  checksum text not null,
  applied_at timestamptz not null default now(),
  took_ms integer not null
)
