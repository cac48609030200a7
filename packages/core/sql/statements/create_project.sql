-- Makes a project. $1 name text. Returns id, created_at, made (false: it was there).
with made as (
  insert into lineshaft.project (name) values ($1) on conflict (name) do nothing returning id, created_at
)
select m.id, m.created_at, true as made from made m
union all
select p.id, p.created_at, false from lineshaft.project p where p.name = $1 and not exists (select from made)
