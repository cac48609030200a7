-- The step of a run that has not ended and has this ref, or is the last iteration of it. $1 run uuid, $2 ref text
-- Returns id (null: there is none); no row: there is no such run. Index: run_pkey, step_pkey. Called by: ReportBook.
select (
  select s.id
  from lineshaft.step s
  where s.run_id = r.id and s.status in ('SCHEDULED', 'IN_PROGRESS')
    and (s.ref = $2::text or (starts_with(s.ref, $2::text || '__') and substr(s.ref, length($2::text) + 3) ~ '^\d+$'))
  order by s.seq desc
  limit 1
)
from lineshaft.run r
where r.id = $1::uuid
