-- Says who polled last. $1 kinds text[], $2 domains text[] ('': none), $3 worker_ids text[], $4 ages double precision[] (ms)
-- Index: poll_record_pkey. Called by: PollBook, at most once in two seconds.
insert into lineshaft.poll_record as p (kind, domain, worker_id, at)
select t.kind, t.domain, t.worker_id, clock_timestamp() - t.age * interval '1 millisecond'
from unnest($1::text[], $2::text[], $3::text[], $4::double precision[]) as t (kind, domain, worker_id, age)
order by t.kind, t.domain
on conflict (kind, domain) do update set worker_id = excluded.worker_id, at = excluded.at where excluded.at > p.at
