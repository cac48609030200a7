-- Takes steps for polls that wait; see the function. $1 kinds text[], $2 domains text[] (null: none), $3 counts integer[],
-- $4 holders text[], $5 claim text
-- Returns pair, place, id (null: of this pair there may be more), taken_ms, step json (null: the job is of no run), run_id, definition (hash), correlation_id, priority, first_ms.
-- Called by: PollBook.
select c.pair, c.place, c.id, c.taken_ms, c.step, c.run_id, c.definition, c.correlation_id, c.priority, c.first_ms
from lineshaft.claim_remote($1::text[], $2::text[], $3::integer[], $4::text[], $5::text) c
