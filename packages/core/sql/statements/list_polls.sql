-- Who polled last. $1 kinds text[] (null: for all), $2 age_ms double precision: within so long, $3 most integer
-- Returns kind, domain ('': none), worker_id, at_ms, the newest first. Called by: PollBook.
select p.kind, p.domain, p.worker_id, (date_part('epoch', p.at) * 1000)::bigint as at_ms
from lineshaft.poll_record p
where ($1::text[] is null or p.kind = any ($1::text[]))
  and p.at > clock_timestamp() - $2::double precision * interval '1 millisecond'
order by p.at desc
limit $3::integer
