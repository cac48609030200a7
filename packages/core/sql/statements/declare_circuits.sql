-- Says what the code of a worker declares of circuits. $1 kinds text[], $2 options json (an array beside the kinds)
-- State and settings that were given as data stay. Called by: workers that start.
with wanted as (
  select k.kind, $2::jsonb -> (k.n - 1)::integer as options
  from unnest($1::text[]) with ordinality as k (kind, n)
  order by k.kind
)
insert into lineshaft.circuit as c (kind, declared)
select w.kind, w.options from wanted w
on conflict (kind) do update set declared = excluded.declared, version = c.version + 1, told = c.told + 1
where c.declared is distinct from excluded.declared
