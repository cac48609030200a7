-- Enqueues a batch; see the function. $1 templates jsonb, $2 template_of integer[], $3 ids uuid[], $4 payloads json,
-- $5 unique_keys text[], $6 resend boolean, $7 wake_mode text, $8 since timestamptz
-- Returns number, id, result for each job that is not new.
select e.number, e.id, e.result
from lineshaft.enqueue_many(
  $1::jsonb, $2::integer[], $3::uuid[], $4::json, $5::text[], $6::boolean, $7::text, $8::timestamptz
) e
