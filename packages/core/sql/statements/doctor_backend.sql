-- Which server process answers. Returns pid integer. Locks: none. Called by: doctor, to recognise a pooler.
select pg_backend_pid() as pid
