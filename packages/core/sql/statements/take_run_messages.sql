-- Gives a step messages of its run: those that it took before, and more that wait. $1 step uuid, $2 how many at most integer
-- Returns id uuid, run_id uuid, payload json, at timestamptz, the oldest first.
-- Locks: the rows; what another step is taking is passed over. Index: step_id, run_message_order. Called by: MessageBook.
with mine as materialized (
  select m.id
  from lineshaft.run_message m
  where m.run_id = (select s.run_id from lineshaft.step s where s.id = $1::uuid)
    and (m.step_id is null or m.step_id = $1::uuid)
  order by m.seq
  limit $2::integer
  for update skip locked
),
taken as (
  update lineshaft.run_message m set step_id = $1::uuid
  from mine where m.id = mine.id
  returning m.id, m.run_id, m.payload, m.at, m.seq
)
select t.id, t.run_id, t.payload, t.at from taken t order by t.seq
