-- Removes a run with all that belongs to it; see the function. $1 run uuid. Returns found boolean. Called by: RunBook.
select lineshaft.remove_run($1::uuid) as found
