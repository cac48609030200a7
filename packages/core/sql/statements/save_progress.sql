-- Keeps the last progress of running jobs. $1 ids uuid[], $2 currents double precision[], $3 totals double precision[]
insert into lineshaft.progress (job_id, current, total)
select * from unnest($1::uuid[], $2::double precision[], $3::double precision[])
on conflict (job_id) do update set current = excluded.current, total = excluded.total, at = now()
