-- Forgets the progress of jobs that ended. $1 ids uuid[]
delete from lineshaft.progress where job_id = any ($1::uuid[])
