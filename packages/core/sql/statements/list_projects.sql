-- All projects. Returns id, name, created_at.
select p.id, p.name, p.created_at from lineshaft.project p order by p.id
