-- Makes the row of a worker that starts. $1 worker_id, $2 name, $3 build, $4 tags text[], $5 kinds text[], $6 queues text[],
-- $7 slots integer, $8 lease_ms integer, $9 offers jsonb (amounts by name). Returns id, clock (ms).
insert into lineshaft.worker (worker_id, name, build, tags, kinds, queues, slots, lease_ms, lease_until, offers)
values ($1, $2, $3, $4::text[], $5::text[], $6::text[], $7::integer, $8::integer,
  clock_timestamp() + $8::integer * interval '1 millisecond', $9::jsonb)
returning id, (extract(epoch from clock_timestamp()) * 1000)::bigint as clock
