-- Forgets a limit; see the function. $1 project text, $2 name text. Returns deleted boolean. Called by: the limit book.
select lineshaft.delete_limit($1::text, $2::text) as deleted
