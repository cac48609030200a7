-- Settings of the server on which the safety of the data or the speed rests.
-- Returns name, setting. Locks: none. Called by: doctor.
select s.name, s.setting
from pg_settings s
where s.name in (
  'server_version_num', 'fsync', 'full_page_writes', 'synchronous_commit', 'autovacuum', 'track_counts'
)
