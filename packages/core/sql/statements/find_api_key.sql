-- Who a secret or a token belongs to, by its hash; marks the key as used, at most once a minute. $1 hash bytea. Returns
-- key_id, name, left_ms: how long it still holds, null: for ever; no row: nobody's, or it has expired.
-- Index: api_key.secret_hash, api_token's primary key. Called by: servers.
with found as (
  select k.key_id, k.name, k.expires_at, k.last_used_at from lineshaft.api_key k where k.secret_hash = $1::bytea
  union all
  select k.key_id, k.name, t.expires_at, k.last_used_at
  from lineshaft.api_token t join lineshaft.api_key k on k.key_id = t.key_id
  where t.token_hash = $1::bytea
), live as (
  select * from found f where f.expires_at is null or f.expires_at > clock_timestamp()
), used as (
  update lineshaft.api_key k set last_used_at = clock_timestamp()
  from live l
  where k.key_id = l.key_id and (l.last_used_at is null or l.last_used_at < clock_timestamp() - interval '1 minute')
)
select l.key_id, l.name, extract(epoch from l.expires_at - clock_timestamp())::double precision * 1000 as left_ms
from live l limit 1
