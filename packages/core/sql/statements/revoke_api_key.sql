-- Forgets an API key with its tokens, and tells all servers. $1 key id text. Returns a row where there was one.
-- Called by: the book of API keys.
with gone as (
  delete from lineshaft.api_key k where k.key_id = $1::text returning k.key_id
)
select gone.key_id, pg_notify('lineshaft', 'k') is null as told from gone
