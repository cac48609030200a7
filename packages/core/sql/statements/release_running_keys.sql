-- Frees the unique keys of claimed jobs that are covered only while they wait.
-- $1 projects bigint[], $2 keys text[], $3 holders uuid[]. Called by: the claim loop, before the jobs start.
delete from lineshaft.unique_key u
using unnest($1::bigint[], $2::text[], $3::uuid[]) as k (project_id, key, job_id)
where u.project_id = k.project_id and u.key = k.key and u.job_id = k.job_id and u.states & 30 = 0
