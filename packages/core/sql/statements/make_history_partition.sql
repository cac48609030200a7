-- Makes the history partition of a day. $1 day date. Returns made boolean.
select lineshaft.make_history_partition($1::date) as made
