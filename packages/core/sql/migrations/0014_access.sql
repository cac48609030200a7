-- Keys for the HTTP server, and the tokens that it hands out for them. Neither secrets nor tokens are kept: only what
-- SHA-256 makes of them, which is safe for random secrets of 256 bits.
-- Lock cost: new objects only.

create table lineshaft.api_key (
  key_id text primary key check (key_id ~ '^lsk_[0-9a-f]{16}$'),
  name text not null check (length(name) between 1 and 200),
  secret_hash bytea not null unique check (octet_length(secret_hash) = 32),
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz check (expires_at > created_at),
  -- To the minute: written at most once a minute for each key.
  last_used_at timestamptz
);

create table lineshaft.api_token (
  token_hash bytea primary key check (octet_length(token_hash) = 32),
  key_id text not null references lineshaft.api_key on delete cascade,
  expires_at timestamptz not null
);
create index api_token_key on lineshaft.api_token (key_id, expires_at);
create index api_token_expiry on lineshaft.api_token (expires_at);

-- Makes a token for a key, which ends with it; forgets tokens that are over, and of this key all but the newest 10,000.
-- Returns when it expires.
create function lineshaft.issue_token(of_key text, new_hash bytea, life_ms double precision)
returns timestamptz language plpgsql volatile as $$
declare
  expiry timestamptz;
begin
  delete from lineshaft.api_token t
  where t.token_hash in (
    select o.token_hash from lineshaft.api_token o where o.expires_at < clock_timestamp() order by o.expires_at limit 100
    for update skip locked
  );
  delete from lineshaft.api_token t
  where t.token_hash in (
    select o.token_hash from lineshaft.api_token o
    where o.key_id = of_key order by o.expires_at desc offset 9999 limit 100
  );
  insert into lineshaft.api_token (token_hash, key_id, expires_at)
  select new_hash, k.key_id, least(clock_timestamp() + life_ms * interval '1 ms', k.expires_at)
  from lineshaft.api_key k where k.key_id = of_key
  returning expires_at into expiry;
  return expiry;
end
$$;
