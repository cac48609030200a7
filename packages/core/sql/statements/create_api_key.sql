-- Makes an API key and tells all servers. $1 key id text, $2 name text, $3 hash of the secret bytea, $4 life in ms double
-- precision or null. Returns created_at, expires_at. Called by: the book of API keys.
with made as (
  insert into lineshaft.api_key (key_id, name, secret_hash, expires_at)
  values ($1::text, $2::text, $3::bytea, clock_timestamp() + $4::double precision * interval '1 ms')
  returning created_at, expires_at
)
select made.*, pg_notify('lineshaft', 'k') is null as told from made
