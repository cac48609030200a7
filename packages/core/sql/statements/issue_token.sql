-- Makes a token for a key; see the function. $1 key id text, $2 hash of the token bytea, $3 life in ms double precision.
-- Returns expires_at; null: the key is gone. Called by: the book of API keys.
select lineshaft.issue_token($1::text, $2::bytea, $3::double precision) as expires_at
