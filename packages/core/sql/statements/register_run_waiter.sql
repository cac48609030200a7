-- Says that this process waits for runs, so that their changes are announced. $1 id uuid, $2 for_ms integer
insert into lineshaft.run_waiter (id, until) values ($1::uuid, now() + $2::integer * interval '1 millisecond')
on conflict (id) do update set until = excluded.until
