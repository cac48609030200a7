-- Says that a lease of a single job may run out before anybody meant to look. Called by: PollBook.
select pg_notify('lineshaft', 't')
