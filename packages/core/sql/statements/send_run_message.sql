-- Keeps a message for a run that goes on. $1 run_id uuid, $2 id uuid, $3 payload json, $4 how many may wait integer
-- Returns status text (null: there is no such run), waiting integer, sent boolean.
-- Locks: none of others. Index: run_pkey, run_message_waiting. Called by: MessageBook.
with facts as materialized (
  select
    (select r.status from lineshaft.run r where r.id = $1::uuid) as status,
    (
      select count(*)::integer
      from (select from lineshaft.run_message m where m.run_id = $1::uuid and m.step_id is null limit $4::integer) w
    ) as waiting
),
sent as (
  insert into lineshaft.run_message (id, run_id, payload)
  select $2::uuid, $1::uuid, $3::json from facts f
  where f.status in ('RUNNING', 'PAUSED') and f.waiting < $4::integer
  returning 1
)
select f.status, f.waiting, exists (select from sent) as sent from facts f
