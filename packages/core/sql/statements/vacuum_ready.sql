-- Gives the places of jobs that went back to the order book. Passes it over where somebody else is at it, and keeps the file, to
-- cut which would take a lock that claims wait for. Who does not own the table hears a warning, and nothing happens.
-- Locks: share update exclusive on ready. Called by: ReadyVacuum.
vacuum (skip_locked, truncate off) lineshaft.ready
