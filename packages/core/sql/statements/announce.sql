-- Tells waiters, if there are any, which jobs have finished.
-- $1 ids uuid[]
select lineshaft.announce($1::uuid[])
