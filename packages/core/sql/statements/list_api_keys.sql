-- All API keys, the newest first, without their hashes. Called by: the book of API keys.
select k.key_id, k.name, k.created_at, k.expires_at, k.last_used_at,
  coalesce(k.expires_at <= clock_timestamp(), false) as expired
from lineshaft.api_key k
order by k.created_at desc, k.key_id
