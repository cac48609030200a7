-- Whether there is an API key, also one that has expired. Called by: servers.
select exists (select from lineshaft.api_key) as present
