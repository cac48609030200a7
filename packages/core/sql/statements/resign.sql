-- Gives leadership up at once, and tells the others. $1 name text, $2 worker bigint, $3 term bigint
with resigned as (
  update lineshaft.leader set until = clock_timestamp() - interval '1 second'
  where name = $1 and worker = $2::bigint and term = $3::bigint
  returning 1
)
select pg_notify('lineshaft', 'e') is null as told from resigned
