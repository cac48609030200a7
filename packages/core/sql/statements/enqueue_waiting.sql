-- As enqueue_many, but refused (55P03) when somebody's open transaction holds a unique key or an id for too long.
-- $1 templates jsonb, $2 template_of integer[], $3 ids uuid[], $4 payloads json, $5 unique_keys text[],
-- $6 resend boolean, $7 wake_mode text, $8 since timestamptz, $9 wait text (longest wait, with a unit: 100ms)
-- Returns number, id, result for each job that is not new. Called by: the enqueuer.
select e.number, e.id, e.result
from lineshaft.enqueue_waiting(
  $1::jsonb, $2::integer[], $3::uuid[], $4::json, $5::text[], $6::boolean, $7::text, $8::timestamptz, $9::text
) e
