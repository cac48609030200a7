-- The migrations that were applied to this schema.
-- Returns version integer, name, checksum, applied_at text. Locks: none. Index: none needed. Called by:
-- migrate, doctor.
select m.version, m.name, m.checksum, m.applied_at::text as applied_at
from lineshaft.migration m
order by m.version
