-- Removes an installation with all that is in it. Locks: everything of the schema, exclusively. Called by: uninstall.
drop schema lineshaft cascade
