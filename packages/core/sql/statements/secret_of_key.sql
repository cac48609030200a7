-- The hash of a key's secret, for comparison. $1 key id text. Returns secret_hash, or no row: no such key, or expired.
-- Called by: the book of API keys.
select k.secret_hash from lineshaft.api_key k
where k.key_id = $1::text and (k.expires_at is null or k.expires_at > clock_timestamp())
