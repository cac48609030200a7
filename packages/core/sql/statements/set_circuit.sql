-- Makes the circuit of a kind, if there is none, and sets what goes before its declaration.
-- $1 kind text, $2 settings jsonb, $3 replace boolean (false: settings stay as they are). Returns facts json.
with made as (
  insert into lineshaft.circuit as c (kind, settings) values ($1, $2::jsonb)
  on conflict (kind) do update
  set settings = case when $3::boolean then excluded.settings else c.settings end,
    version = c.version + 1, told = c.told + 1
  returning c.*
)
select lineshaft.circuit_facts(m::lineshaft.circuit) as facts, pg_notify('lineshaft', 'q') is null as told from made m
