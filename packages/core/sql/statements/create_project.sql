-- Makes a project. $1 name text. Returns id, name, made.
with made as (
  insert into lineshaft.project (name) values ($1) on conflict (name) do nothing returning id, name
)
select m.id, m.name, true as made from made m
union all
select p.id, p.name, false from lineshaft.project p where p.name = $1 and not exists (select from made)
