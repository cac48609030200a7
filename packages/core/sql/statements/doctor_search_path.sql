-- Puts a schema, and it alone, into the search path of this transaction.
-- $1 schema text. Locks: none. Called by: the drift check.
select set_config('search_path', quote_ident($1::text), true)
