-- What plugins and services keep: the migrations of plugins, and leases of single jobs.
-- Lock cost: new objects only.

-- Migrations of plugins, each plugin with numbers of its own.
create table lineshaft.plugin_migration (
  plugin text not null,
  version integer not null,
  name text not null,
  checksum text not null,
  applied_at timestamptz not null default now(),
  took_ms integer not null,
  primary key (plugin, version)
);
