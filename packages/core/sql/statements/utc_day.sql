-- Today in UTC by the clock of the database. Returns day text (YYYY-MM-DD).
select (now() at time zone 'UTC')::date::text
